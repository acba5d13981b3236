// Package proxy is the data plane: it accepts connections, reads requests,
// moves each exchange to a target and back, and writes one access-log line for
// it. It decides nothing about what is deployed: it reads what package service
// published.
package proxy

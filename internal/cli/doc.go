// Package cli is the command tree that people and deploy scripts type: proxyctl,
// and later kamal-proxy, which is the same tree under Kamal's name. It turns
// flags into calls of package api and answers into tables and sentences.
//
// What scripts can rely on:
//
//   - Exit status 0 means that what was asked for is done; 1 means that it is
//     not, and standard error has one line that starts with "Error: ".
//   - Commands that change something write nothing to standard output unless it
//     is a terminal, or --json asks for the result.
//   - Tables are for people; --json is for programs.
//
// It imports nothing of the data plane, and never logs.
package cli

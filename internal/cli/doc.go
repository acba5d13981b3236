// Package cli is the command tree that people and deploy scripts type: proxyctl,
// and later kamal-proxy, which is the same tree under Kamal's name. It turns
// flags into calls of package api and answers into tables and sentences.
//
// What scripts can rely on:
//
//   - Exit status 0 means that what was asked for is done; 1 means that it is
//     not, and standard error has a line that starts with "Error: ". Check is the
//     exception where it lets proxyd judge: words and status are proxyd's then.
//   - Commands that change something write nothing to standard output unless it
//     is a terminal, or --json asks for the result.
//   - Tables are for people; --json is for programs.
//
// It imports nothing of the data plane, and never logs.
package cli

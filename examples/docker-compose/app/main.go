// Command app is what the example deploys: it says its version, and is well.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	version := os.Getenv("VERSION")
	http.HandleFunc("GET /up", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, version) })
	server := &http.Server{Addr: ":3000", ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

// Package route finds what a host and a path belong to, in an immutable table
// that readers use without locks.
//
// A lookup goes from the exact host to its one-level wildcard to any host, and in
// each takes the longest path prefix on a segment boundary. Its cost does not grow
// with the table, and it allocates nothing. It works on raw bytes, as the client
// sent them; Table.Agrees tells when a target could read the path otherwise.
//
//	table, err := route.NewTable([]route.Entry[*App]{
//		{Route: route.Route{Host: "example.com", PathPrefix: "/"}, Value: web},
//		{Route: route.Route{Host: "example.com", PathPrefix: "/api"}, Value: api},
//	})
//	app, prefix, ok := table.Match([]byte("Example.com:8080"), []byte("/api/users"))
//
// It does not know what the values are and never changes a request.
package route

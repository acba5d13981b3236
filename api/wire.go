package api

// VersionAnswer says which proxyd is running.
type VersionAnswer struct {
	Version string `json:"version"`
}

// ServicesAnswer is every service, ordered by name.
type ServicesAnswer struct {
	Services []ServiceInfo `json:"services"`
}

// CheckRequest asks whether Text would be a good config file. Nothing changes.
type CheckRequest struct {
	// Path is how the file is named in the problems found.
	Path string `json:"path"`
	Text string `json:"text"`
}

// Done is the answer of a call that has nothing to tell but that it worked.
type Done struct{}

// ErrorAnswer is the body of every answer whose status is not 200.
type ErrorAnswer struct {
	Error *Error `json:"error"`
}

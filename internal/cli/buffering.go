package cli

import (
	"github.com/spf13/cobra"

	"upfront/api"
)

// bufferingFlags are how bodies are buffered. All names but the last are
// kamal-proxy's.
type bufferingFlags struct {
	requests, responses               bool
	memory, maxResponseBody, replayed int64
}

func (f *bufferingFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.requests, "buffer-requests", false, "read a request's body whole before a target is chosen")
	flags.BoolVar(&f.responses, "buffer-responses", false, "read an answer ahead of a client that is slower than its target")
	flags.Int64Var(&f.memory, "buffer-memory", api.DefaultBufferMemory, "bytes of one body that stay in memory; the rest goes to a temporary file")
	flags.Int64Var(&f.maxResponseBody, "max-response-body", 0, "bytes that an answer's body may have; 0 is no limit")
	flags.Int64Var(&f.replayed, "replay-body", 0, "bytes up to which a request's body is read whole, so that it can be sent again; 0 is off")
}

func (f *bufferingFlags) set(spec *api.Spec) {
	spec.BufferRequests, spec.BufferResponses, spec.BufferMemory = f.requests, f.responses, f.memory
	spec.MaxResponseBody, spec.ReplayBody = f.maxResponseBody, f.replayed
}

package control

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"upfront/api"
)

// route is one call: how it is reached, what it takes and gives (for the OpenAPI
// document), and what answers it.
type route struct {
	method  string
	pattern string
	summary string
	request reflect.Type // nil: no body
	answer  reflect.Type // nil: text
	events  bool         // the answer is a stream of api.Event
	text    string       // content type of an answer that is not from a type
	handle  func(s *Server, w http.ResponseWriter, r *http.Request) error
}

// routes is every call there is.
func routes() []route {
	return []route{
		reads(api.PathVersion, "Say which proxyd is running.", func(s *Server, _ *http.Request) (api.VersionAnswer, error) {
			return api.VersionAnswer{Version: s.daemon.Status().Version}, nil
		}),
		reads(api.PathStatus, "Show the daemon as a whole, services included.", func(s *Server, _ *http.Request) (api.Status, error) {
			return s.daemon.Status(), nil
		}),
		reads(api.PathServices, "List every service, ordered by name.", func(s *Server, _ *http.Request) (api.ServicesAnswer, error) {
			return api.ServicesAnswer{Services: s.services()}, nil
		}),
		reads(api.ServicePath("")+"{name}", "Show one service.", (*Server).service),
		waits(api.VerbDeploy, "Replace the targets of a service; returns when the old ones are empty.", Registry.Deploy),
		waits(api.VerbAdd, "Join one more target once it is healthy.", Registry.Add),
		waits(api.VerbRemove, "Drain and forget one target, or the whole service.", Registry.Remove),
		waits(api.VerbDrain, "Empty one target, or all of them, and keep them in the set.", Registry.Drain),
		waits(api.VerbPause, "Hold new requests until resume.", Registry.Pause),
		waits(api.VerbStop, "Answer every request with the maintenance page until resume.", Registry.Stop),
		writes(verbPattern(api.VerbResume), "End a pause or a stop.", func(s *Server, r *http.Request, _ api.Done) (*api.Result, error) {
			return s.registry.Resume(r.Context(), r.PathValue("name"))
		}),
		waits(api.VerbRollback, "Deploy the previous set of targets again.", Registry.Rollback),
		waits(api.VerbRolloutDeploy, "Replace the targets in the rollout slot of a service.", Registry.RolloutDeploy),
		writes(verbPattern(api.VerbRolloutSet), "Say which requests the rollout targets take.", func(s *Server, r *http.Request, req api.RolloutSetRequest) (*api.Result, error) {
			return s.registry.RolloutSet(r.Context(), r.PathValue("name"), req)
		}),
		waits(api.VerbRolloutStop, "Send every request to the active targets, then drain and forget those of the rollout.", Registry.RolloutStop),
		writes(api.PathReload, "Apply the config file again.", func(s *Server, r *http.Request, _ api.Done) (api.Done, error) {
			return api.Done{}, orInvalid(s.daemon.Reload(r.Context()))
		}),
		writes(api.PathCheck, "Say what is wrong with a config file; changes nothing.", func(s *Server, _ *http.Request, req api.CheckRequest) (api.Done, error) {
			return api.Done{}, orInvalid(s.daemon.Check(req.Path, []byte(req.Text)))
		}),
		{
			method: http.MethodGet, pattern: api.PathMetrics, summary: "Give the counters to Prometheus.",
			text: metricsType, handle: (*Server).metrics,
		},
		{
			method: http.MethodGet, pattern: api.PathOpenAPI, summary: "Describe every call.",
			text: "application/json", handle: func(s *Server, w http.ResponseWriter, _ *http.Request) error {
				writeBody(w, http.StatusOK, "application/json", s.document())
				return nil
			},
		},
	}
}

func verbPattern(verb api.Verb) string { return api.ServicePath("") + "{name}/" + string(verb) }

// reads is a call that only looks.
func reads[Answer any](pattern, summary string, do func(*Server, *http.Request) (Answer, error)) route {
	return route{
		method: http.MethodGet, pattern: pattern, summary: summary, answer: reflect.TypeFor[Answer](),
		handle: func(s *Server, w http.ResponseWriter, r *http.Request) error {
			answer, err := do(s, r)
			if err == nil {
				writeJSON(w, http.StatusOK, answer)
			}
			return err
		},
	}
}

// writes is a call that changes something and does not wait.
func writes[Request, Answer any](pattern, summary string, do func(*Server, *http.Request, Request) (Answer, error)) route {
	return route{
		method: http.MethodPost, pattern: pattern, summary: summary,
		request: reflect.TypeFor[Request](), answer: reflect.TypeFor[Answer](),
		handle: func(s *Server, w http.ResponseWriter, r *http.Request) error {
			req, err := decode[Request](bodyOf(r))
			if err != nil {
				return err
			}
			answer, err := do(s, r, req)
			if err == nil {
				writeJSON(w, http.StatusOK, answer)
			}
			return err
		},
	}
}

// waits is a call that changes one service and streams what it sees meanwhile.
func waits[Request any](
	verb api.Verb, summary string,
	do func(Registry, context.Context, string, Request, func(api.Progress)) (*api.Result, error),
) route {
	return route{
		method: http.MethodPost, pattern: verbPattern(verb), summary: summary,
		request: reflect.TypeFor[Request](), answer: reflect.TypeFor[api.Event](), events: true,
		handle: func(s *Server, w http.ResponseWriter, r *http.Request) error {
			req, err := decode[Request](bodyOf(r))
			if err != nil {
				return err
			}
			events := newEventStream(w)
			var result *api.Result
			err = s.protect(r, func() (err error) {
				result, err = do(s.registry, r.Context(), r.PathValue("name"), req, events.progress)
				return err
			})
			return events.finish(result, err)
		},
	}
}

// newMux gives every route its place, and everything else an answer in JSON.
func (s *Server) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, route := range routes() {
		methods[route.pattern] = append(methods[route.pattern], route.method)
		mux.HandleFunc(route.method+" "+route.pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := route.handle(s, w, r); err != nil {
				writeError(w, asError(err, api.CodeInternal))
			}
		})
	}
	for pattern, allowed := range methods {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { refuseMethod(w, r, allowed) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &api.Error{
			Code:    api.CodeNotFound,
			Message: fmt.Sprintf("no call %s %q: %s describes those that exist", r.Method, r.URL.Path, api.PathOpenAPI),
		})
	})
	return mux
}

func refuseMethod(w http.ResponseWriter, r *http.Request, allowed []string) {
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	writeJSON(w, http.StatusMethodNotAllowed, api.ErrorAnswer{Error: &api.Error{
		Code: api.CodeInvalid, Message: fmt.Sprintf("%s does not take %s: use %s", r.URL.Path, r.Method, list),
	}})
}

// services never answers null where clients expect a list.
func (s *Server) services() []api.ServiceInfo {
	services := slices.Clone(s.registry.Services())
	if services == nil {
		services = []api.ServiceInfo{}
	}
	slices.SortStableFunc(services, func(a, b api.ServiceInfo) int { return strings.Compare(a.Name, b.Name) })
	return services
}

func (s *Server) service(r *http.Request) (api.ServiceInfo, error) {
	name := r.PathValue("name")
	info, ok := s.registry.Service(name)
	if !ok {
		return info, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no service %q: proxyctl list shows those that exist", name)}
	}
	return info, nil
}

// orInvalid gives the errors of the config file their code.
func orInvalid(err error) error {
	if err == nil {
		return nil
	}
	return asError(err, api.CodeInvalid)
}

package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

func (s *session) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List services and their targets",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := s.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			s.warn(status)
			if s.json {
				if status.Services == nil {
					status.Services = []api.ServiceInfo{}
				}
				return s.print(status.Services)
			}
			writeList(s.out, status, s.Now())
			return nil
		},
	}
}

// warn says on standard error what is wrong although everything may look well.
func (s *session) warn(status api.Status) {
	for _, problem := range problems(status) {
		fmt.Fprintf(s.Stderr, "%s %s\n", s.err.paint(yellow, "Warning:"), problem)
	}
}

// problems is everything that an operator must look at.
func problems(status api.Status) []string {
	var found []string
	if c := status.Config; c != nil && c.Problem != "" {
		found = append(found, fmt.Sprintf("config file %s is not live as it stands: %s", c.Path, c.Problem))
	}
	if status.State.Problem != "" {
		found = append(found, fmt.Sprintf("state file %s: %s", status.State.Path, status.State.Problem))
	}
	for _, service := range status.Services {
		if service.Problem != "" {
			found = append(found, fmt.Sprintf("service %s: %s", service.Name, service.Problem))
		}
	}
	return found
}

// writeList writes one line a target, so that grep and awk find all of it.
func writeList(out screen, status api.Status, now time.Time) {
	var t table
	t.head("SERVICE", "HOST", "PATH", "TARGET", "HEALTH", "IN-FLIGHT", "STATE", "TLS")
	for _, service := range status.Services {
		start := []cell{
			{text: service.Name},
			{text: orElse(strings.Join(service.Spec.Hosts, ","), "*")},
			{text: orElse(strings.Join(service.Spec.PathPrefixes, ","), "/")},
		}
		secure := tlsCell(service, automaticOf(service.Name, status.Automatic), now)
		if len(service.Targets) == 0 {
			t.row(append(start, cell{text: "-"}, cell{text: "-"}, cell{text: "-"}, stateCell(service, nil), secure)...)
		}
		for _, group := range groupsOf(service) {
			for _, target := range group.targets {
				state := stateCell(service, &target)
				state.text += group.suffix()
				t.row(append(slices.Clip(start),
					cell{text: target.Address}, healthCell(target.Health),
					cell{text: strconv.FormatInt(target.InFlight, 10)}, state, secure)...)
			}
		}
	}
	t.write(out, "")
}

// group is targets of a service that take the same requests.
type group struct {
	name    string // "" for those that take all that no others do
	targets []api.TargetInfo
}

func (g group) suffix() string {
	if g.name == "" {
		return ""
	}
	return "," + g.name
}

// groupsOf are the targets of a service, the active ones first.
func groupsOf(service api.ServiceInfo) []group {
	groups := []group{{"", service.Targets}, {"reads", service.Readers}}
	if r := service.Rollout; r != nil {
		groups = append(groups, group{"rollout", r.Targets}, group{"rollout,reads", r.Readers})
	}
	return groups
}

func healthCell(health string) cell {
	colours := map[string]colour{"healthy": green, "unhealthy": red, "starting": yellow}
	return cell{text: health, colour: colours[health]}
}

// stateCell is what the service was told, and what was told or is true of the
// target besides its health.
func stateCell(service api.ServiceInfo, target *api.TargetInfo) cell {
	c := cell{text: orElse(service.Gate, "running")}
	if c.text != "running" {
		c.colour = yellow
	}
	if target != nil && target.Draining {
		c.text, c.colour = c.text+",draining", yellow
	}
	if target != nil && target.Full {
		c.text, c.colour = c.text+",full", yellow
	}
	return c
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

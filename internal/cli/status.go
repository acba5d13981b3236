package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"upfront/api"
)

func (s *session) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [SERVICE]",
		Short: "Show proxyd, its problems, and the last probe of every target",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exactly(1, "at most one service")(cmd, args)
			}
			return nil
		},
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return s.serviceStatus(cmd, args[0])
			}
			status, err := s.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.print(status)
			}
			s.writeStatus(status)
			return nil
		},
	}
}

func (s *session) serviceStatus(cmd *cobra.Command, name string) error {
	service, err := s.client().Service(cmd.Context(), name)
	if err != nil {
		return err
	}
	if s.json {
		return s.print(service)
	}
	s.writeService(service)
	return nil
}

func (s *session) writeStatus(status api.Status) {
	var t table
	line := func(name, text string) {
		if text != "" {
			t.row(cell{name, bold}, cell{text: text})
		}
	}
	line("proxyd", fmt.Sprintf("%s, pid %d, started %s", status.Version, status.PID, age(s.Now(), status.StartedAt)))
	line("listening", strings.Join(status.Listeners, ", "))
	if c := status.Config; c != nil {
		line("config", fmt.Sprintf("%s, loaded %s", c.Path, age(s.Now(), c.LoadedAt)))
	} else {
		line("config", "none")
	}
	state := orElse(status.State.Path, "none")
	if source := status.State.Source; source != "" && source != "none" {
		state += ", read from " + map[string]string{"file": "the file", "backup": "its backup", "partial": "what could be read of it", "kamal-proxy": "that of kamal-proxy"}[source]
	}
	line("state", state)
	t.write(s.out, "")
	for _, problem := range problems(status) {
		fmt.Fprintf(s.out, "%s    %s\n", s.out.paint(red, "problem"), strings.ReplaceAll(problem, "\n", "\n           "))
	}
	for _, service := range status.Services {
		fmt.Fprintln(s.out)
		s.writeService(service)
	}
	s.writeAutomatic(status.Automatic)
}

func (s *session) writeService(service api.ServiceInfo) {
	gate := orElse(service.Gate, "running")
	if service.Message != "" {
		gate += " (" + service.Message + ")"
	}
	owner := ""
	if service.Owner == "file" {
		owner = ", targets from the config file"
	}
	fmt.Fprintf(s.out, "%s  %s, host %s, path %s%s\n", s.out.paint(bold, service.Name), printable(gate),
		orElse(strings.Join(service.Spec.Hosts, ","), "*"), orElse(strings.Join(service.Spec.PathPrefixes, ","), "/"), owner)
	var t table
	for _, group := range groupsOf(service) {
		for _, target := range group.targets {
			row := s.targetRow(target)
			row[2].text += strings.ReplaceAll(group.suffix(), ",", ", ")
			t.row(row...)
		}
	}
	t.write(s.out, "  ")
	if r := service.Rollout; r != nil {
		fmt.Fprintf(s.out, "  rollout takes %s\n", printable(splitText(r.Split)))
	}
	if len(service.Targets) == 0 {
		fmt.Fprintln(s.out, "  no targets")
	}
	if len(service.Certificates) > 0 {
		var c table
		for _, one := range service.Certificates {
			c.row(s.certificateRow(one)...)
		}
		c.write(s.out, "  ")
	}
	if len(service.Previous) > 0 {
		var addresses []string
		for _, target := range service.Previous {
			addresses = append(addresses, target.Address)
		}
		fmt.Fprintf(s.out, "  rollback to %s\n", strings.Join(addresses, ", "))
	}
}

// targetRow is one target: its three facts, its load, and its last probe.
func (s *session) targetRow(target api.TargetInfo) []cell {
	health := healthCell(target.Health)
	if !target.Since.IsZero() {
		health.text += " for " + span(s.Now().Sub(target.Since))
	}
	facts := "weight " + strconv.Itoa(target.Weight) + ", " + strconv.FormatInt(target.InFlight, 10) + " in flight"
	if target.Draining {
		facts += ", draining"
	}
	if target.Full {
		facts += ", full"
	}
	probe := orElse(target.LastProbe, "not probed yet")
	if when := age(s.Now(), target.LastProbeAt); when != "" {
		probe += " (" + when + ")"
	}
	// The sentence of a failed probe names its checks already.
	if len(target.Checks) > 0 && !strings.Contains(probe, "checks") {
		var checks []string
		for _, name := range slices.Sorted(maps.Keys(target.Checks)) {
			checks = append(checks, name+"="+target.Checks[name])
		}
		probe += ", checks: " + strings.Join(checks, " ")
	}
	return []cell{{text: target.Address}, health, {text: facts}, {text: probe}}
}

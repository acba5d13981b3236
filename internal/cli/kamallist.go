package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"upfront/api"
)

func (s *session) kamalListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the services",
		Args:    cobra.NoArgs,
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
			writeKamalList(s.Stdout, status.Services)
			return nil
		},
	}
	cmd.Flags().BoolVar(&s.json, "json", false, "write the answer as JSON")
	return cmd
}

// The styles of kamal-proxy's table. It has them on a terminal and elsewhere.
const (
	kamalHead  = "3;94"
	kamalName  = "1;34"
	kamalPlain = ""
)

// writeKamalList writes kamal-proxy's table byte for byte, for who parses it.
func writeKamalList(w io.Writer, services []api.ServiceInfo) {
	rows := [][]string{{"Service", "Host", "Path", "Target", "State", "TLS"}}
	for _, service := range services {
		var targets []string
		for _, target := range append(service.Targets, service.Readers...) {
			targets = append(targets, target.Address)
		}
		tls := "no"
		if service.Spec.TLS != nil {
			tls = "yes"
		}
		rows = append(rows, []string{
			service.Name, orElse(strings.Join(service.Spec.Hosts, ","), "*"),
			orElse(strings.Join(service.Spec.PathPrefixes, ","), "/"), strings.Join(targets, ","),
			orElse(service.Gate, "running"), tls,
		})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], len(text))
		}
	}
	var text strings.Builder
	for number, row := range rows {
		for i, field := range row {
			style := kamalPlain
			switch {
			case number == 0:
				style = kamalHead
			case i == 0:
				style = kamalName
			}
			fmt.Fprintf(&text, "\x1b[%sm%s\x1b[0m%s  ", style, field, strings.Repeat(" ", widths[i]-len(field)))
		}
		text.WriteString("\n")
	}
	_, _ = io.WriteString(w, text.String())
}

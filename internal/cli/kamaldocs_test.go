package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The table of docs/kamal.md is the command tree; -update writes it.
func TestKamal_docsHaveTheCommandTree(t *testing.T) {
	const path, begin, end = "../../docs/kamal.md", "<!-- table -->\n", "<!-- end -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	got, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no table between %q and %q", path, begin, end)
	}
	root := newSession(kamalOptions("", map[string]string{"HOME": "/home/kamal-proxy"}, nil)).kamalRoot()
	want := kamalTable(root, kamalCommands)
	if *update {
		if err := os.WriteFile(filepath.Clean(path), []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("the table of %s is not the command tree: run go test ./internal/cli -run Kamal -update. Want:\n%s", path, want)
	}
}

// kamalCommands are those that kamal-proxy has.
var kamalCommands = []string{"run", "deploy", "rollout deploy", "rollout set", "rollout stop", "stop", "pause", "resume", "remove", "list"}

// shownFlag is a line of a help text.
var shownFlag = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z0-9-]+)`)

func kamalTable(root *cobra.Command, lines []string) string {
	var b strings.Builder
	b.WriteString("\n| command | flag | type | default | |\n|---|---|---|---|---|\n")
	for _, line := range lines {
		cmd, _, err := root.Find(strings.Fields(line))
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, "| `%s` | | | | %s |\n", line, cmd.Short)
		for _, found := range shownFlag.FindAllStringSubmatch(cmd.LocalFlags().FlagUsages(), -1) {
			f := cmd.LocalFlags().Lookup(found[1])
			if f.Name == "help" || cmd.Root().PersistentFlags().Lookup(f.Name) != nil {
				continue
			}
			value := strings.Trim(f.DefValue, "[]")
			if value != "" {
				value = "`" + value + "`"
			}
			fmt.Fprintf(&b, "| | `--%s` | %s | %s | %s |\n", f.Name, f.Value.Type(), value, strings.ReplaceAll(f.Usage, "|", "\\|"))
		}
	}
	b.WriteString("\n")
	return b.String()
}

package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// On macOS the default socket differs, so help texts name it by a placeholder.
func portable(text string) string {
	return strings.ReplaceAll(text, "/var/run/upfront/", "/run/upfront/")
}

func TestHelp(t *testing.T) {
	golden(t, "help/proxyctl.txt", portable(proxyctl(t, "", nil).stdout))
	for _, cmd := range newSession(Options{}.withDefaults()).root().Commands() {
		got := proxyctl(t, "", []string{cmd.Name(), "--help"})
		if got.status != 0 || got.stderr != "" {
			t.Errorf("%s --help: got status %d and %q on stderr", cmd.Name(), got.status, got.stderr)
		}
		golden(t, "help/"+cmd.Name()+".txt", portable(got.stdout))
		for _, sub := range cmd.Commands() {
			if cmd.Name() != "completion" {
				golden(t, "help/"+cmd.Name()+"_"+sub.Name()+".txt", portable(proxyctl(t, "", []string{cmd.Name(), sub.Name(), "--help"}).stdout))
			}
		}
	}
}

// A vocabulary has one word per idea.
func TestHelp_usesTheVocabulary(t *testing.T) {
	var all func(*cobra.Command) string
	all = func(cmd *cobra.Command) string {
		text := cmd.Use + cmd.Short + cmd.Long + cmd.Example + cmd.Flags().FlagUsages()
		for _, sub := range cmd.Commands() {
			text += all(sub)
		}
		return strings.ToLower(text)
	}
	text := all(newSession(Options{}.withDefaults()).root())
	for _, word := range []string{"backend", "upstream", "endpoint", "server", "ping"} {
		if strings.Contains(strings.ReplaceAll(text, "mapping", ""), word) {
			t.Errorf("a help text says %q", word)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := proxyctl(t, "", []string{"completion", shell})
		if got.status != 0 || !strings.Contains(got.stdout, "proxyctl") {
			t.Errorf("%s: got status %d and %d bytes", shell, got.status, len(got.stdout))
		}
	}
}

package config

import (
	"os"
	"path/filepath"
	"strings"
)

const maxLinks = 40 // as Linux has it

// links returns the folders whose entries decide what path stands for, each
// with the names that matter in it: every symbolic link on the way (Kubernetes
// swaps one called ..data), the file, its folder, and whatever is missing. The
// folders are real paths, so the same folder never appears under two names.
func links(path string) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	note := func(folder, name string) {
		if all[folder] == nil {
			all[folder] = map[string]bool{}
		}
		all[folder][name] = true
	}
	rest := elements(path)
	current, followed := string(filepath.Separator), 0
	for len(rest) > 0 && followed <= maxLinks {
		name := rest[0]
		if name == ".." {
			current, rest = filepath.Dir(current), rest[1:]
			continue
		}
		full := filepath.Join(current, name)
		info, err := os.Lstat(full)
		switch {
		case err != nil:
			note(current, name)
			return all
		case info.Mode()&os.ModeSymlink != 0:
			note(current, name)
			target, err := os.Readlink(full)
			if err != nil {
				return all
			}
			if filepath.IsAbs(target) {
				current = string(filepath.Separator)
			}
			rest, followed = append(elements(target), rest[1:]...), followed+1
			continue
		case len(rest) <= 2: // the file and its folder, which can be replaced
			note(current, name)
		}
		current, rest = full, rest[1:]
	}
	return all
}

func elements(path string) []string {
	var all []string
	for name := range strings.SplitSeq(path, string(filepath.Separator)) {
		if name != "" && name != "." {
			all = append(all, name)
		}
	}
	return all
}

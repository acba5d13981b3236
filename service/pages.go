package service

import (
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/internal/logfield"
	"upfront/page"
)

// errorPages is the pages of one version of a service.
type errorPages struct {
	set *page.Set
	// problem is why the built-in pages are used in place of those that the spec
	// asks for. Empty when all is well.
	problem string
}

// readPages reads the pages that a deploy asks for.
func readPages(spec api.Spec) (errorPages, error) {
	set, err := page.Read(spec.ErrorPages)
	if err != nil {
		return errorPages{}, failure(api.CodeInvalid, "--error-pages", "%s", joined(err))
	}
	return errorPages{set: set, problem: unused(spec, set)}, nil
}

// findPages reads the pages of a service that is to be live in any case: a folder
// that is gone, or spoiled, costs only the pages.
func (r *Registry) findPages(name string, spec api.Spec) errorPages {
	set, err := page.Read(spec.ErrorPages)
	if err == nil {
		return errorPages{set: set, problem: unused(spec, set)}
	}
	problem := "built-in error pages are used: " + joined(err)
	r.logger.Warn("Error pages could not be read, built-in ones are used",
		logfield.Service(name), logfield.Path(spec.ErrorPages), zap.NamedError("error", err))
	return errorPages{problem: problem}
}

// unused says that a folder has nothing that could be used: a slip, most likely.
func unused(spec api.Spec, set *page.Set) string {
	if set == nil || set.Len() > 0 {
		return ""
	}
	return fmt.Sprintf("built-in error pages are used: folder %q has none that is named like 503.html", spec.ErrorPages)
}

// joined is a joined error on one line.
func joined(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// findDeclared reads the files of everything that is declared, before anything is
// locked.
func (r *Registry) findDeclared(declared []Declared) map[string]onDisk {
	found := make(map[string]onDisk, len(declared))
	for _, d := range declared {
		if d.Spec.ErrorPages != "" || d.Spec.TLS != nil {
			found[d.Name] = r.findFiles(d.Name, d.Spec)
		}
	}
	return found
}

// CheckPages reports what is wrong with the error pages of d, or nil. Apply does not
// refuse them, so that they cost no start; whoever may refuse a change asks here.
func (d Declared) CheckPages() error {
	_, err := readPages(d.Spec)
	if e, ok := errors.AsType[*api.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}

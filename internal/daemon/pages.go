package daemon

import (
	"errors"

	"upfront/config"
	"upfront/internal/logfield"
	"upfront/page"
	"upfront/service"
)

// checkAll asks the registry, and reads every folder of error pages.
func (r *reloader) checkAll(file *config.File, services []service.Declared, text []byte) error {
	problems := r.checkPages(file, services, text)
	err := r.check(file, services, text)
	if err == nil && len(problems) == 0 {
		return nil
	}
	if found, ok := errors.AsType[config.Errors](err); ok {
		return append(found, problems...)
	}
	if err != nil {
		return err
	}
	return problems
}

// checkPages returns what is wrong with the folders of error pages, each at its
// place.
func (r *reloader) checkPages(file *config.File, services []service.Declared, text []byte) (problems config.Errors) {
	note := func(folder config.Folder, err error) {
		if err != nil {
			problems = append(problems, config.Mistake(r.path, text, folder.Line, folder.Column, "error_pages: "+oneLine(err)))
		}
	}
	_, err := page.Read(file.ErrorPages.Path)
	note(file.ErrorPages, err)
	for i, s := range file.Services {
		note(s.ErrorPages, services[i].CheckPages())
	}
	return append(problems, r.checkCertificates(file, services, text)...)
}

// readPages reads the pages for requests of no service. A folder that cannot be read
// costs only the pages, lest it keeps the proxy from starting: a change of the file
// was checked before. The error says that the built-in ones are used.
func (r *reloader) readPages(file *config.File, text []byte) (*page.Set, error) {
	set, err := page.Read(file.ErrorPages.Path)
	if err == nil {
		return set, nil
	}
	problem := config.Mistake(r.path, text, file.ErrorPages.Line, file.ErrorPages.Column,
		"built-in error pages are used: error_pages: "+oneLine(err))
	r.log.Warn("Error pages could not be read, built-in ones are used",
		logfield.Path(file.ErrorPages.Path), logfield.Error(err))
	return nil, problem
}

// Package config reads the settings file of the daemon and watches it.
//
// Parse is strict and reports every mistake of a file in one pass, each with
// its line, column, an excerpt and a sentence that says what to change. Watcher
// hands over each version of the file once it has been written completely.
//
//	file, err := config.Parse(path, text)
//	var problems config.Errors
//	if errors.As(err, &problems) {
//		fmt.Fprintln(os.Stderr, problems.Report())
//	}
//
// The package says what the file asks for and applies nothing; it never logs.
// Only internal/daemon imports it.
package config

// Package page makes the answers that are our own: error pages, and the
// maintenance page of a stopped service, as HTML, JSON or plain text.
//
// A page says what happened in words for people who know nothing of proxies. It
// never names a target, an address or a version. A folder of HTML templates can
// take the place of the built-in ones.
//
//	set, err := page.Read("/etc/upfront/pages") // once, at deploy
//	var accept page.Accept
//	accept.Add([]byte("text/html, */*;q=0.1")) // each Accept line of a request
//	body := page.Content{Status: 503}.Append(nil, accept.Best(page.Text))
//
// The package does not write heads, choose statuses or log.
package page

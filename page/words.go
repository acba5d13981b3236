package page

import (
	"net/http"
	"strconv"
)

// words is the title and the sentence of a page, for people who know nothing of
// proxies: whose turn it is, and what they can do.
type words struct{ title, sentence string }

var statusWords = map[int]words{
	400: {"Bad request", "This request could not be understood. Please go back and try again."},
	404: {"Page not found", "There is nothing at this address. Please check it, or start again from the home page."},
	405: {"Not allowed", "This cannot be done here."},
	408: {"Request timed out", "Your request took too long to arrive. Please check your connection and try again."},
	413: {"Too large", "What you sent is larger than what is accepted here. Please try again with less."},
	414: {"Address too long", "The address of this page is longer than what is accepted here."},
	417: {"Not supported", "Your request expects something that cannot be done here."},
	429: {"Too many connections", "Too many connections come from your address. Please wait a moment and try again."},
	431: {"Request too large", "Your browser sent too much information along with this request. Removing the cookies of this site may help."},
	500: {"Something went wrong", "This is not your fault. Please try again in a moment."},
	501: {"Not supported", "Requests of this kind are not answered here."},
	502: {"Something went wrong", "This site did not answer as it should. It is not your fault. Please try again in a moment."},
	503: {"Temporarily unavailable", "This site cannot be reached at the moment. Please try again soon."},
	504: {"No answer in time", "This site took too long to answer. Please try again in a moment."},
	505: {"Not supported", "This version of HTTP is not spoken here."},
}

var maintenanceWords = words{"Down for maintenance", "This site is being worked on and will be back soon. Please try again in a few minutes."}

func (c Content) words() words {
	if c.Maintenance {
		return maintenanceWords
	}
	if w, known := statusWords[c.Status]; known {
		return w
	}
	if text := http.StatusText(c.Status); text != "" {
		return words{text, "This request could not be answered."}
	}
	return words{"Error " + strconv.Itoa(c.Status), "This request could not be answered."}
}

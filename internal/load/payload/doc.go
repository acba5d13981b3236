// Package payload is the language that the load generator and the test targets
// share: answers that say which version wrote them, for which request, how long
// they are and what they hash to, so that a client can verify every byte and
// notice an answer that was meant for somebody else.
//
//	body := payload.Answer("v1", "k7-42", 300)
//	version, err := payload.CheckAnswer(body, "k7-42", 300)
//
// It does no I/O. e2e/real/config.ru writes the same language in Ruby.
package payload

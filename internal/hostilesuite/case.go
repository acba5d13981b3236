package hostilesuite

import "time"

// What the proxy under test has to be configured for.
const (
	// TargetTimeout is how long the proxy may wait for a target that is silent,
	// before an answer or inside a body of known length.
	TargetTimeout = 2 * time.Second
	// LargeHead is the size of the largest head that has to pass.
	LargeHead = 200 << 10
)

// Case is one way in which a target misbehaves, and what an edge makes of it.
type Case struct {
	// Class groups cases.
	Class string
	// Name says what the target does; unique.
	Name string
	// RFC is the section that decides; empty where only robustness does.
	RFC string

	method  string // GET by default
	fields  string // further field lines of the request
	body    string // of the request
	upload  int    // bytes of zeros that the request announces and sends instead of body
	primed  bool   // an exchange goes before, so that a kept connection is there
	idle    []step // what the target does on that connection once it answered
	accept  []step // what the target does on the first connection before it reads anything
	script  []step // what the target does once it read the head
	unread  bool   // the target leaves the body of the request unread
	again   int    // how often all is done once more
	discard bool   // the connection must not be used again, although its answer is good
	judge   judge
}

// Cases returns all cases, in the order in which they are best read.
func Cases() (all []Case) {
	for _, list := range [][]Case{
		cutBodies(), statusLines(), fieldLines(), sizes(), lengths(), codings(), chunks(), trailers(),
		bodiless(), surplus(), interims(), silences(), reuse(), hopByHop(), pace(), uploads(),
	} {
		all = append(all, list...)
	}
	return all
}

// of gives every case of a list its class.
func of(class string, list ...Case) []Case {
	for i := range list {
		list[i].Class = class
	}
	return list
}

// says is a case whose target answers with raw and keeps the connection.
func says(name, rfc, raw string, j judge) Case {
	return Case{Name: name, RFC: rfc, script: []step{say(raw)}, judge: j}
}

// thenCloses is says, and a close.
func thenCloses(name, rfc, raw string, j judge) Case {
	return Case{Name: name, RFC: rfc, script: []step{say(raw), fin()}, judge: j}
}

// thenResets is says, and a reset once the bytes have arrived.
func thenResets(name, rfc, raw string, j judge) Case {
	return Case{Name: name, RFC: rfc, script: []step{say(raw), pause(20 * time.Millisecond), rst()}, judge: j}
}

// Package hostilesuite holds an edge proxy against targets that send what they must
// not: malformed heads, broken framing, cut bodies, answers that nobody asked for,
// floods, silence.
//
// It is a target, a client, and a list of cases that say what the target does and
// what the client may see then. Cases know bytes and the RFCs alone, so the same
// suite judges any proxy that stands between the two:
//
//	target, err := hostilesuite.Listen("127.0.0.1:0")
//	// … let a proxy forward everything to target.Address() …
//	for _, c := range hostilesuite.Cases() {
//		fmt.Println(c.Name, hostilesuite.Run(ctx, c, target, proxyAddress))
//	}
//
// Where an RFC lets a recipient choose between refusing and repairing, the judge
// takes both. Every request carries a token that only its own answer repeats, and
// each case ends with requests of other clients, which must get theirs: no answer
// may reach another client, whatever the target did.
//
// The proxy must wait TargetTimeout for the target, take heads of LargeHead bytes
// from it, keep connections to it, and probe another one, if it probes. The suite
// starts no proxy and knows none.
package hostilesuite

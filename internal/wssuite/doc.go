// Package wssuite judges how a proxy carries WebSockets. Each case scripts the
// client and the target on real sockets, through the proxy, and says what one of
// them saw that it should not have. It runs against any proxy:
//
//	suite, err := wssuite.New()
//	defer suite.Close()
//	// start a proxy that sends everything to suite.Target()
//	for _, c := range wssuite.Cases() {
//		fmt.Println(c.Name, suite.Run(wssuite.Proxy{Address: address}, c))
//	}
//
// Bytes are compared, not messages: a proxy is not the judge of what it carries.
package wssuite

package dial

import (
	"net"
	"time"
)

// stillThere is how the system asks a silent target whether it is there. HTTP/2 could
// ask too, but many gRPC targets close connections for being asked often.
var stillThere = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

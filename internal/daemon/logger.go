package daemon

import (
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger writes JSON lines to w. What repeats within a second is sampled; the
// access log is no part of it and is not. kamal writes levels as kamal-proxy does, and
// as the access log.
func newLogger(w io.Writer, level zap.AtomicLevel, kamal bool) *zap.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey = "time"
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	if kamal {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.Lock(zapcore.AddSync(w)), level)
	return zap.New(zapcore.NewSamplerWithOptions(core, samplingTick, samplingFirst, samplingThereafter), zap.ErrorOutput(zapcore.AddSync(w)))
}

// Of the lines of one message, the first 100 of a second, then every hundredth.
const (
	samplingTick       = 1e9
	samplingFirst      = 100
	samplingThereafter = 100
)

func checkLevel(text string) error {
	switch text {
	case "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("%q is not known: choose debug, info, warn or error", text)
}

// setLevel applies a level that checkLevel or the config file's parser accepted.
func setLevel(level zap.AtomicLevel, text string) {
	if parsed, err := zapcore.ParseLevel(text); err == nil {
		level.SetLevel(parsed)
	}
}

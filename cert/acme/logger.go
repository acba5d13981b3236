package acme

import (
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// quiet is a logger for certmagic, which has a line for every lock that it takes: what
// it calls information is for debugging here. Its errors are warnings, for it goes on
// all the same; those of an attempt are for debugging too, because the schedule has a
// line for each with the next attempt in it.
func quiet(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return quietCore{core} }))
}

type quietCore struct{ zapcore.Core }

func (c quietCore) With(fields []zapcore.Field) zapcore.Core {
	return quietCore{c.Core.With(fields)}
}

func (c quietCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	entry.Level = quietLevel(entry)
	if c.Core.Enabled(entry.Level) {
		return c.Core.Check(entry, checked)
	}
	return checked
}

// Enabled reports whether anything that certmagic says at level could be written.
func (c quietCore) Enabled(level zapcore.Level) bool {
	return c.Core.Enabled(quietLevel(zapcore.Entry{Level: level}))
}

func quietLevel(entry zapcore.Entry) zapcore.Level {
	if entry.Level < zapcore.ErrorLevel || ofAttempt(entry.LoggerName) {
		return zapcore.DebugLevel
	}
	return zapcore.WarnLevel
}

func ofAttempt(logger string) bool {
	return strings.HasSuffix(logger, ".obtain") || strings.HasSuffix(logger, ".renew")
}

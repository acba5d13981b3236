package service

import (
	"reflect"
	"testing"
)

func TestLoggedHeaders(t *testing.T) {
	got := LoggedHeaders("req", []string{"Cache-Control", "content-type", "X_A", "x-a", "DNT"})
	want := []LoggedHeader{{"Cache-Control", "req_cache_control"}, {"X_A", "req_x_a"}, {"DNT", "req_dnt"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := LoggedHeaders("resp", nil); got != nil {
		t.Errorf("got %v for no names", got)
	}
}

package control

import (
	"errors"
	"testing"

	"upfront/api"
)

func TestDecode_namesTheField(t *testing.T) {
	tests := []struct {
		name, body, want string
	}{
		{"unknown", `{"supercede":true}`, `unknown field "supercede"`},
		{"unknown inside", `{"spec":{"health_check":{"pathz":[]}}}`, `unknown field "spec.health_check.pathz"`},
		{"unknown in a list", `{"targets":[{"address":"a:1"},{"addr":"b:1"}]}`, `unknown field "targets[1].addr"`},
		{"other case", `{"Supersede":true}`, `unknown field "Supersede"`},
		{"twice", `{"supersede":true,"spec":{},"supersede":false}`, `field "supersede" is given twice`},
		{"twice, spelt in two ways", `{"supersede":true,"super\u0073ede":false}`, `field "supersede" is given twice`},
		{"twice inside", `{"spec":{"hosts":[],"hosts":[]}}`, `field "spec.hosts" is given twice`},
		{"twice in a map", `{"spec":{"health_check":{"headers":{"a":"1","a":"2"}}}}`, `field "spec.health_check.headers.a" is given twice`},
		{"string for a list", `{"targets":"a:1"}`, `field "targets" is a string, want a list`},
		{"list for an object", `{"spec":[]}`, `field "spec" is a list, want an object`},
		{"string for a number", `{"spec":{"health_check":{"port":"80"}}}`, `field "spec.health_check.port" is a string, want a whole number of at most 64 bits`},
		{"fraction", `{"targets":[{"weight":1.5}]}`, `field "targets[0].weight" is the number 1.5, want a whole number of at most 64 bits`},
		{"huge", `{"targets":[{"weight":1e99}]}`, `field "targets[0].weight" is the number 1e99, want a whole number of at most 64 bits`},
		{"number for a string", `{"spec":{"hosts":[7]}}`, `field "spec.hosts[0]" is the number 7, want a string`},
		{"object for a bool", `{"supersede":{}}`, `field "supersede" is an object, want true or false`},
		{"no duration", `{"drain_timeout":"soon"}`, `field "drain_timeout": "soon" is not a duration: write it like 500ms, 30s or 2m`},
		{"number for a duration", `{"drain_timeout":30}`, `field "drain_timeout": 30 is not a duration: write it as text like "30s"`},
		{"null", `{"drain_timeout":null}`, `field "drain_timeout" is null: leave it out for its default`},
		{"not an object", `[]`, `request is a list, want an object`},
		{"trailing value", `{} {}`, `byte 4: invalid character '{' after top-level value`},
		{"trailing garbage", `{}x`, `byte 3: invalid character 'x' after top-level value`},
		{"cut", `{"spec":`, `byte 8: unexpected end of JSON input`},
		{"garbage", "\x16\x03\x01", `byte 1: invalid character '\x16' looking for beginning of value`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode[api.DeployRequest]([]byte(tt.body))
			var e *api.Error
			if !errors.As(err, &e) || e.Code != api.CodeInvalid {
				t.Fatalf("got %v, want an invalid request", err)
			}
			if want := "decode request: " + tt.want; e.Message != want {
				t.Errorf("got  %s\nwant %s", e.Message, want)
			}
		})
	}
}

func TestDecode_acceptsWhatIsRight(t *testing.T) {
	body := `{"spec":{"hosts":["a.test"],"path_prefixes":null,"health_check":{"headers":{"K":"V"},"timeout":"3s"}},"targets":[{"address":"a:1","weight":3}]}`
	got, err := decode[api.DeployRequest]([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.Hosts[0] != "a.test" || got.Spec.HealthCheck.Headers["K"] != "V" || got.Spec.HealthCheck.Timeout.String() != "3s" || got.Targets[0].Weight != 3 {
		t.Errorf("got %+v", got)
	}
	if _, err := decode[api.DrainRequest]([]byte(" \n")); err != nil {
		t.Errorf("empty body: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"spec":{"health_check":{"headers":{"a":"1"}}},"targets":[{"address":"a:1"}],"drain_timeout":"1s"}`))
	f.Add([]byte(`{"spec":{},"spec":{}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := decode[api.DeployRequest](body)
		var e *api.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("got %v, want an *api.Error", err)
		}
	})
}

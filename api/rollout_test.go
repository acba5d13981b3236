package api

import "testing"

func TestSplit_Validate(t *testing.T) {
	for _, test := range []struct {
		split Split
		flag  string // "" for a good one
	}{
		{Split{}, ""},
		{Split{Percent: 100, List: []string{"a", "user-7=x"}, Random: true, Headers: []HeaderMatch{{"X-Beta", "a b"}, {"X-Any", ""}}}, ""},
		{Split{Percent: 101}, "--percent"},
		{Split{Percent: 250}, "--percent"},
		{Split{Percent: -5}, "--percent"},
		{Split{List: []string{""}}, "--list"},
		{Split{List: []string{"a;b"}}, "--list"},
		{Split{List: []string{"a b"}}, "--list"},
		{Split{Headers: []HeaderMatch{{"", "1"}}}, "--header"},
		{Split{Headers: []HeaderMatch{{"X Beta", "1"}}}, "--header"},
		{Split{Headers: []HeaderMatch{{"X-Beta", "a\nb"}}}, "--header"},
	} {
		err := RolloutSetRequest{Split: test.split}.Validate()
		if test.flag == "" && err != nil {
			t.Errorf("%+v: got %v, want it to be good", test.split, err)
		}
		if test.flag != "" {
			wantInvalid(t, "split", err, test.flag)
		}
	}
}

func TestRolloutDeployRequest_Validate(t *testing.T) {
	good := []Target{{Address: "web-1:3000"}}
	wantInvalid(t, "no target", RolloutDeployRequest{}.Validate(), "--target")
	wantInvalid(t, "reader", RolloutDeployRequest{Targets: good, Readers: []Target{{Address: "x:y"}}}.Validate(), "--read-target")
	wantInvalid(t, "twice", DeployRequest{Targets: good, Readers: append(good, good...)}.Validate(), "--read-target")
	if err := (RolloutDeployRequest{Targets: good, Readers: good}).Validate(); err != nil {
		t.Errorf("got %v, want a target that is a reader as well to be good", err)
	}
}

func TestSpec_Validate_headers(t *testing.T) {
	wantInvalid(t, "client ip", Spec{ClientIPHeader: "CF Connecting"}.Validate(), "--client-ip-header")
	wantInvalid(t, "request", Spec{LogRequestHeaders: []string{"A:"}}.Validate(), "--log-request-header")
	wantInvalid(t, "response", Spec{LogResponseHeaders: []string{""}}.Validate(), "--log-response-header")
	wantInvalid(t, "path", Spec{ExcludeMetricsPaths: []string{"up"}}.Validate(), "--exclude-metrics-path")
}

package remote

import "testing"

func TestHeaderValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		list bool
		want string
	}{
		{"plain text", false, "plain text"},
		{"a, b", false, "a, b"},
		{"a, b", true, "UTF-8''a%2C%20b"},
		{"Zürich", false, "UTF-8''Z%C3%BCrich"},
		{"UTF-8''x", false, "UTF-8''UTF-8%27%27x"},
		{"utf-8'x", false, "UTF-8''utf-8%27x"},
		{" padded ", false, "UTF-8''%20padded%20"},
		{"line\r\nbreak: x", false, "UTF-8''line%0D%0Abreak%3A%20x"},
	} {
		if got := headerValue(test.text, test.list); got != test.want {
			t.Errorf("headerValue(%q, %v) = %q, want %q", test.text, test.list, got, test.want)
		}
	}
}

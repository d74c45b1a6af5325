package authn_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/gateway/authn"
	"muniment/vault/access"
)

// open makes a journal with one principal and returns its key.
func open(t *testing.T) (*journal.Journal, access.Who, string) {
	t.Helper()
	ctx, rand := context.Background(), journaltest.Rand(1)
	j, err := journal.Open(ctx, journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: journaltest.NewBucket(t), Signer: journaltest.Signer(),
		Clock: journaltest.NewClock(), Rand: rand, Log: slog.New(slog.DiscardHandler),
		Definitions: access.Definitions(),
		Origin:      "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	if err != nil {
		t.Fatal(err)
	}
	key := journaltest.Must(access.NewAPIKey(rand))
	digest := key.Digest()
	who := access.Who{Tenant: "default", Principal: journaltest.Must(journal.NewID(journaltest.NewClock().Now(), rand))}
	_, err = j.Commit(ctx, who.Actor(), func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{
			access.TrialBegun.New(journal.ID{}, access.TrialBegunData{}),
			access.PrincipalCreated.New(journal.ID{},
				access.PrincipalCreatedData{Principal: who.Principal, Origin: access.OriginCreated}),
			access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: who.Principal, Digest: digest[:]}),
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, who, key.Reveal()
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	j, who, key := open(t)
	defer j.Close()
	keys := authn.APIKeys{Authority: access.NewAuthority(j, nil)}
	for name, c := range map[string]struct {
		headers []string
		known   bool
	}{
		"good":                  {[]string{"Bearer " + key}, true},
		"any case of scheme":    {[]string{"bEARER  " + key}, true},
		"none":                  {nil, false},
		"empty":                 {[]string{""}, false},
		"scheme only":           {[]string{"Bearer"}, false},
		"scheme and space":      {[]string{"Bearer "}, false},
		"other scheme":          {[]string{"Basic " + key}, false},
		"no scheme":             {[]string{key}, false},
		"two headers":           {[]string{"Bearer " + key, "Bearer " + key}, false},
		"two tokens":            {[]string{"Bearer " + key + " " + key}, false},
		"last character":        {[]string{"Bearer " + key[:len(key)-1] + "b"}, false},
		"cut":                   {[]string{"Bearer " + key[:len(key)-1]}, false},
		"upper case":            {[]string{"Bearer " + strings.ToUpper(key)}, false},
		"long":                  {[]string{"Bearer mun_" + strings.Repeat("a", 1<<16)}, false},
		"of nobody":             {[]string{"Bearer mun_" + strings.Repeat("a", 52)}, false},
		"a JWT that signs none": {[]string{"Bearer eyJhbGciOiJub25lIn0.e30."}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Authorization"] = c.headers
			got, err := keys.Authenticate(r)
			if c.known && (err != nil || got != who) {
				t.Errorf("%v, %v", got, err)
			}
			if !c.known && (!errors.Is(err, authn.ErrUnauthenticated) || got != access.Who{}) {
				t.Errorf("%v, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), key[4:20]) {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}

// TestCannotTell shows that a journal that cannot be read is no reason to say that the key is wrong.
func TestCannotTell(t *testing.T) {
	t.Parallel()
	j, _, key := open(t)
	defer j.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+key)
	_, err := authn.APIKeys{Authority: access.NewAuthority(j, nil)}.Authenticate(r)
	if err == nil || errors.Is(err, authn.ErrUnauthenticated) {
		t.Errorf("it says %v", err)
	}
}

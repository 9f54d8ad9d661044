package nixenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"cachekey/internal/cli"
	"cachekey/internal/message"
)

// maxResponse bounds an answer of Nixhub, in bytes. A real one has some 5 KB.
const maxResponse = 1 << 20

// A policy says how long to wait for Nixhub, and how often.
type policy struct {
	limit time.Duration // of one request, to the end of its body
	tries int
	pause time.Duration // before the second try; doubled for each further one, and spread by half
}

var patient = policy{limit: 20 * time.Second, tries: 4, pause: time.Second}

// A nixhubPackage is a version of a package as Nixhub's v2/resolve gives it and
// as .same/cache/nixhub keeps it; the answer has name, summary and last_updated
// besides, the file alias and timestamp.
type nixhubPackage struct {
	Alias     string                   `json:"alias"` // the package's name, for all that
	Version   string                   `json:"version"`
	Systems   map[string]nixhubBinding `json:"systems"`
	Timestamp time.Time                `json:"timestamp"`
}

type nixhubBinding struct {
	FlakeInstallable installable `json:"flake_installable"`
	Outputs          []output    `json:"outputs"`
}

type installable struct {
	Ref      flakeRef `json:"ref"`
	AttrPath string   `json:"attr_path"`
}

type flakeRef struct {
	Type  string `json:"type"`
	Owner string `json:"owner"`
	Repo  string `json:"repo"`
	Rev   string `json:"rev"`
}

// String gives the reference as Nix takes it.
func (f flakeRef) String() string { return f.Type + ":" + f.Owner + "/" + f.Repo + "/" + f.Rev }

type output struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Default bool   `json:"default"`
	NAR     string `json:"nar"`
}

var attribute = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_+'-]*(\.[A-Za-z0-9_][A-Za-z0-9_+'-]*)*$`)

// check says whether p can be used on system. Revisions and attributes go into a
// Nix expression and a restored file may hold anything, so only what Nixhub
// really gives is let through.
func (p *nixhubPackage) check(system string) error {
	if len(p.Systems) == 0 {
		return errors.New("it names no systems")
	}
	for name, s := range p.Systems {
		ref := s.FlakeInstallable.Ref
		if ref.Type != "github" || !strings.EqualFold(ref.Owner, "NixOS") || !strings.EqualFold(ref.Repo, "nixpkgs") || !fullRevision.MatchString(ref.Rev) {
			return fmt.Errorf("%q is not a revision of nixpkgs", ref)
		}
		if !attribute.MatchString(s.FlakeInstallable.AttrPath) {
			return fmt.Errorf("%q is not an attribute (%s)", s.FlakeInstallable.AttrPath, name)
		}
	}
	if _, ok := p.Systems[system]; !ok {
		var systems []string
		for name := range p.Systems {
			systems = append(systems, name)
		}
		slices.Sort(systems)
		return message.WithHint(&wrongSystemError{system, systems}, "take a version that is built for %s", system)
	}
	return nil
}

// A wrongSystemError is an answer that is right and of no use here.
type wrongSystemError struct {
	system string
	others []string
}

// Error names the systems that there are.
func (e *wrongSystemError) Error() string {
	return fmt.Sprintf("nixpkgs has it for %s, not for %s", strings.Join(e.others, ", "), e.system)
}

var errNotFound = errors.New("not found")

// ask gets a version of a package from Nixhub, however long the policy lets it take.
func (r *Resolver) ask(ctx context.Context, name, version string) (*nixhubPackage, error) {
	address := strings.TrimSuffix(r.Nixhub, "/") + "/v2/resolve?name=" + url.QueryEscape(name) + "&version=" + url.QueryEscape(version)
	p := r.nixhubPolicy
	pause := p.pause
	for try := 1; ; try++ {
		pkg, err := r.askOnce(ctx, address)
		switch {
		case err == nil:
			pkg.Alias, pkg.Version = name, version
			return pkg, nil
		case errors.Is(err, errNotFound):
			return nil, message.WithHint(fmt.Errorf("no %s@%s is known to Nixhub", name, version),
				"https://www.nixhub.io/packages/%s lists the versions", url.PathEscape(name))
		case errors.As(err, new(*wrongSystemError)):
			return nil, err
		case ctx.Err() != nil:
			return nil, fmt.Errorf("asking Nixhub: %w", context.Cause(ctx))
		case try == p.tries:
			return nil, message.WithHint(fmt.Errorf("asking Nixhub, %d times: %w", try, err),
				"check the network, or name a package of the flake's own lock instead (nixpkgs#%s)", name)
		}
		// Spread, so that a hundred CI jobs do not come back in one moment.
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause *= 2
	}
}

func (r *Resolver) askOnce(ctx context.Context, address string) (*nixhubPackage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.nixhubPolicy.limit, fmt.Errorf("no whole answer within %v", r.nixhubPolicy.limit))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "same/"+cli.Version())
	req.Header.Set("Accept", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, errNotFound
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %s", res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return nil, because(ctx, err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("its answer is larger than %d bytes", maxResponse)
	}
	var pkg nixhubPackage
	if err := json.Unmarshal(body, &pkg); err != nil {
		return nil, fmt.Errorf("its answer is not what it should be: %w", err)
	}
	if err := pkg.check(r.System); err != nil {
		return nil, err
	}
	return &pkg, nil
}

// because gives the reason why ctx ended, if it did, instead of what came of it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

package gateway

import (
	"net/http"
	"strings"

	"muniment/gateway/problem"
)

// route is one call of the contract.
type route struct {
	method string
	path   string // in Echo's notation: ":id" is one element, "*" the rest
	public bool   // needs no credential
	cost   int    // of a public route: how many requests one counts as; 0: one
	// query and headers are the parameters of the call, separated by spaces; of the headers, those that begin with
	// "Muniment-". Others are refused: a misspelt one must not pass for one left out.
	query   string
	headers string
	serve   func(*request) error
}

// routes is the whole public surface; a test compares it with the contract.
func (s *Server) routes() []route {
	const (
		deposited = "series file_name title record_date attribute ledger_ref acknowledge"
		listed    = "series state chain transaction deposited_after deposited_before cursor limit"
	)
	depositHeaders := "Muniment-Series Muniment-File-Name Muniment-Title Muniment-Record-Date Muniment-Attribute " +
		"Muniment-Ledger-Ref Muniment-Acknowledge"
	return []route{
		{method: http.MethodPost, path: "/v1/documents", serve: s.deposit,
			query: deposited + " external_id", headers: depositHeaders + " Muniment-External-Id"},
		{method: http.MethodGet, path: "/v1/documents", serve: s.list, query: listed},
		{method: http.MethodPut, path: externalPath + "*", serve: s.put, query: deposited, headers: depositHeaders},
		{method: http.MethodGet, path: externalPath + "*", serve: s.find, query: "series"},
		{method: http.MethodGet, path: "/v1/documents/:id", serve: s.describe},
		{method: http.MethodDelete, path: "/v1/documents/:id", serve: s.refuseDelete},
		{method: http.MethodGet, path: "/v1/documents/:id/content", serve: s.content,
			query: "purpose", headers: "Muniment-Purpose Muniment-Purpose-Note"},
		{method: http.MethodHead, path: "/v1/documents/:id/content", serve: s.contentHead,
			query: "purpose", headers: "Muniment-Purpose Muniment-Purpose-Note"},
		{method: http.MethodGet, path: "/v1/documents/:id/evidence", serve: s.evidence, query: "disclose"},
		{method: http.MethodGet, path: "/v1/documents/:id/history", serve: s.history,
			query: "before limit"},
		{method: http.MethodPost, path: "/v1/verify", serve: s.verify},
		{method: http.MethodGet, path: "/v1/journal/checkpoint", public: true, serve: s.checkpoint},
		{method: http.MethodGet, path: tilePath + "*", public: true, serve: s.tile},
		{method: http.MethodGet, path: "/v1/journal/entries", serve: s.entries, query: "after limit wait"},
		{method: http.MethodGet, path: "/v1/anchors", serve: s.listAnchors, query: "before limit"},
		{method: http.MethodPost, path: "/v1/anchors", serve: s.anchorNow},
		{method: http.MethodGet, path: "/v1/series", serve: s.listSeries},
		{method: http.MethodPost, path: "/v1/series", serve: s.createSeries},
		{method: http.MethodGet, path: "/v1/purposes", serve: s.listPurposes},
		{method: http.MethodPut, path: "/v1/purposes", serve: s.setPurposes},
		{method: http.MethodPost, path: "/v1/attestations", serve: s.attest},
		{method: http.MethodGet, path: "/v1/keys", serve: s.keyStatus},
		{method: http.MethodPost, path: "/v1/keys/rotations", serve: s.rotateKey},
		{method: http.MethodPost, path: "/v1/keys/shipping", serve: s.reshipKey},
		{method: http.MethodPost, path: "/v1/keys/rewraps", serve: s.rewrapKeys},
		{method: http.MethodPost, path: "/v1/keys/trims", serve: s.proposeTrim},
		{method: http.MethodPost, path: "/v1/keys/trims/:trim_id/approval", serve: s.approveTrim},
		{method: http.MethodPost, path: "/v1/keys/trims/:trim_id/execution", serve: s.runTrim},
		{method: http.MethodGet, path: "/v1/time", serve: s.settledTime},
		{method: http.MethodPost, path: "/v1/time/acknowledgements", serve: s.acknowledgeTime},
		{method: http.MethodGet, path: "/v1/backups", serve: s.listBackups, query: "before limit"},
		{method: http.MethodPost, path: "/v1/backups", serve: s.recordBackup},
		{method: http.MethodGet, path: "/v1/principals", serve: s.listPrincipals, query: "at"},
		{method: http.MethodPost, path: "/v1/principals", serve: s.createPrincipal},
		{method: http.MethodGet, path: "/v1/principals/:principal_id", serve: s.getPrincipal, query: "at"},
		{method: http.MethodPut, path: "/v1/principals/:principal_id/name", serve: s.renamePrincipal},
		{method: http.MethodPost, path: "/v1/principals/:principal_id/codes", serve: s.issueCode},
		{method: http.MethodDelete, path: "/v1/principals/:principal_id/keys", serve: s.revokeKeys},
		{method: http.MethodDelete, path: "/v1/principals/:principal_id/grants", serve: s.revokeGrants},
		{method: http.MethodGet, path: "/v1/whoami", serve: s.whoAmI},
		{method: http.MethodPost, path: "/v1/claims", public: true, cost: claimCost, serve: s.claimKey},
		{method: http.MethodGet, path: "/v1/grants", serve: s.listGrantProposals},
		{method: http.MethodPost, path: "/v1/grants", serve: s.proposeGrants},
		{method: http.MethodPost, path: "/v1/grants/:proposal_id/approval", serve: s.approveGrants},
		{method: http.MethodPost, path: "/v1/grants/:proposal_id/refusal", serve: s.declineGrants},
		{method: http.MethodPost, path: "/v1/founding", serve: s.foundTenant},
		{method: http.MethodDelete, path: "/v1/founding", serve: s.stopFounding},
		{method: http.MethodGet, path: "/v1/version", public: true, serve: s.version},
		{method: http.MethodGet, path: problem.Path + ":code", public: true, serve: s.explain},
	}
}

// listed says whether a name is among those separated by spaces.
func listed(names, name string) bool {
	for known := range strings.FieldsSeq(names) {
		if known == name {
			return true
		}
	}
	return false
}

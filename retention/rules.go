package retention

import "muniment/vault/access"

// EventRules say who may cause the events of this package.
func EventRules() access.Rules {
	return access.Rules{
		string(SeriesCreated): access.Either(access.Needs(access.ManageFile), access.AtBeginning),
	}
}

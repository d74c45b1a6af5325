package main

import (
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// committers are the functions that commit to the journal past the door of vault/access, each with its reason. An act
// of a principal is not among them: it goes through a Door, which asks whether it is permitted and puts a refusal on
// record.
var committers = map[string]string{
	"muniment/vault/access.(Door).Commit":                    "the door itself",
	"muniment/vault/access.(Door).Flush":                     "the door's count of refusals",
	"muniment/vault/access.(Authority).RecordContradictions": "an alarm about rows that the events contradict",

	"muniment/vault.(Vault).BeginTenant":           "the beginning of a tenant: nobody is there yet to be permitted",
	"muniment/vault/people.(People).FoundingCodes": "new codes for founders: before they have claimed nobody is there",
	"muniment/vault/people.(People).Recover":       "the operator's act, where those who could permit it are lost",
	"muniment/vault.(Vault).attestWhenDue":         "a worker: it tries the documents' store at its own times",
	"muniment/vault.(Vault).damage":                "an alarm about what an act that was let in has found",
	"muniment/vault.(Vault).recordOutcomes":        "a worker: the outcome of reads that were let in",
	"muniment/vault/rekey.(Keys).recordTrimmed":    "the outcome of a trim that was let in",
	"muniment/vault.(Vault).eraseObject":           "a duty: the ciphertext of documents whose erasure was let in",
	"muniment/vault.(Vault).recordLocks":           "a worker: an alarm about locks that are behind, and its end",
	"muniment/vault.(sweep).abandon":               "a worker: the sweep of objects that no document has",
	"muniment/vault.(sweep).alarm":                 "an alarm of the same worker",

	"muniment/anchor.(worker).prepare": "a worker: the steps of anchors",
	"muniment/anchor.(worker).record":  "a worker: the steps of anchors",

	"muniment/cmd/muniment/backup.(restoreRun).goOnRecord": "a restore, by whoever has the data folder's keys",

	"muniment/cmd/muniment/bench.(bench).commits": "a benchmark of the journal alone, in a folder of its own",
	"muniment/cmd/muniment/bench.(bench).addMany": "the data of a benchmark, in a folder of its own",
}

// TestActsGoThroughTheDoor: nothing but the door and the workers that are named above commits to the journal, whether
// by a call, a method value, or an interface that the journal fits.
func TestActsGoThroughTheDoor(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{
		Dir: root,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports,
	}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{} // the place of a commit, by function
	for _, p := range loaded {
		for _, err := range p.Errors {
			t.Fatal(err)
		}
		// The journal's own package is below the door.
		if p.PkgPath != "muniment/anchor/journal" && !strings.HasSuffix(p.PkgPath, "test") {
			maps.Copy(found, commits(p))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if committers[name] == "" {
			t.Errorf("%s: %s commits to the journal past the door. An act of a principal goes through access.Door, "+
				"which asks whether it is permitted; a worker of the system is named in committers, with its reason.",
				found[name], name)
		}
	}
	for name := range committers {
		if found[name] == "" {
			t.Errorf("%s does not commit to the journal any more: take it from the list", name)
		}
	}
}

// commits are the places where a package takes the journal's Commit, by function.
func commits(p *packages.Package) map[string]string {
	found := map[string]string{}
	for _, file := range p.Syntax {
		for _, decl := range file.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if method, ok := p.TypesInfo.Uses[selector.Sel].(*types.Func); ok && isCommit(method) {
					at := p.Fset.Position(selector.Pos())
					found[p.PkgPath+"."+owner(decl)] = fmt.Sprintf("%s:%d", filepath.Base(at.Filename), at.Line)
				}
				return true
			})
		}
	}
	return found
}

// isCommit says whether a method is the journal's Commit, or one of an interface that has its name and shape: a journal
// may stand behind it.
func isCommit(method *types.Func) bool {
	receiver := method.Signature().Recv()
	if method.Name() != "Commit" || receiver == nil {
		return false
	}
	if types.IsInterface(receiver.Type()) {
		params := method.Signature().Params()
		return params.Len() == 3 && strings.HasSuffix(params.At(1).Type().String(), "muniment/anchor/journal.Actor")
	}
	return method.FullName() == "(*muniment/anchor/journal.Journal).Commit"
}

// owner names what a declaration declares: "(Vault).Erase" for a method.
func owner(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	if !ok {
		return "a variable"
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	return fmt.Sprintf("(%s).%s", types.ExprString(receiver), f.Name.Name)
}

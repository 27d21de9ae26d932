#!/bin/bash
# The command line is described in three places that people read: --help, the manual page and the completion.
. "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}/tests/lib.sh"

[ -x "$SANDREC" ] || bail_out "$SANDREC has not been built"
page=$top_srcdir/doc/sandrec.1
commands=$("$SANDREC" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
# doctor, run and replay start themselves again at the right address; a build with sanitizers cannot be put there.
case $SANDREC_BUILT_SANITIZERS in
no) guests='run replay doctor gdb serve' ;;
*) guests= ;;
esac

runs_here() { case " run replay doctor gdb serve " in *" $1 "*) case " $guests " in *" $1 "*) ;; *) return 1 ;; esac ;; esac; }

help_options() { "$SANDREC" "$1" --help | grep -o -- '^ *\(-[a-z], \)\?--[a-z-]*' | grep -o -- '--[a-z-]*' | grep -v '^--help$' | sort; }

help_letters() { "$SANDREC" "$1" --help | sed -n 's/^  \(-[a-z]\), --.*/\1/p' | sort; }

# The options of the .TP paragraphs in a command's section of the page.
page_section() { awk -v name="$1" '$1 == ".SS" { on = $2 == name } $1 == ".SH" { on = 0 } on' "$page" | sed 's/\\-/-/g; s/\\f.//g'; }
page_tags() { page_section "$1" | awk '/^\.TP/ { getline; print }'; }
page_options() { page_tags "$1" | grep -o -- '--[a-z][a-z-]*' | sort; }
page_letters() { page_tags "$1" | grep -o -- '^\.BR -[a-z]\b' | grep -o -- '-[a-z]' | sort; }

same_options() {
	local from_help from_page
	from_help=$(help_options "$1"; help_letters "$1")
	from_page=$(page_options "$1"; page_letters "$1")
	[ "$from_help" = "$from_page" ] && return
	printf '%s --help:\n%s\nmanual page:\n%s\n' "$1" "$from_help" "$from_page"
	return 1
}

completes() {
	bash -c '. "$1"; COMP_WORDS=("$2" $3 "$4"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }
		_sandrec "$2"; printf "%s\n" "${COMPREPLY[@]}"' - "$top_srcdir/cli/sandrec.bash" "$SANDREC" "$1" "$2" | sort
}

completes_options() {
	local expected found
	expected=$(help_options "$1"; echo --help)
	found=$(completes "$1" -- | sed 's/=$//' | sort)
	[ "$(sort <<<"$expected")" = "$found" ] && return
	printf 'expected:\n%s\nfound:\n%s\n' "$expected" "$found"
	return 1
}

# The same for zsh, whose completion is asked by its functions.
zsh_says() { zsh -f -c 'source "$1"; shift; "$@"' - "$top_srcdir/cli/_sandrec" "$@"; }
zsh_options() {
	local expected found
	expected=$(help_options "$1"; echo --help)
	found=$(zsh_says _sandrec_options "$SANDREC" "$1" | sed 's/=$//' | sort)
	[ "$(sort <<<"$expected")" = "$found" ] && return
	printf 'expected:\n%s\nfound:\n%s\n' "$expected" "$found"
	return 1
}
zsh_commands() { [ "$(sort <<<"$commands")" = "$(zsh_says _sandrec_commands "$SANDREC" | sed 's/:.*//' | sort)" ]; }
zsh_program() {
	[ "$(zsh_says eval 'words=(sandrec run -o x --cpu=host prog -o); CURRENT=7; _sandrec_program')" = 6 ]
}

one_error() {
	local wanted=$1
	shift
	"$SANDREC" "$@" >"$T/out" 2>"$T/err"
	local status=$?
	[ $status = "$wanted" ] || { echo "status $status, not $wanted"; return 1; }
	[ ! -s "$T/out" ] || { echo "output:"; cat "$T/out"; return 1; }
	[ "$(grep -c '^sandrec: ' "$T/err")" = 2 ] && [ "$(wc -l <"$T/err")" = 2 ] || { cat "$T/err"; return 1; }
}

[ -n "$commands" ] && ok "--help lists commands" || not_ok "--help lists commands"
check "the page describes the same commands" \
	[ "$(sort <<<"$commands")" = "$(sed -n 's/^\.SS //p' "$page" | sort)" ]
if have zsh; then
	check "zsh: commands" zsh_commands
	check "zsh: where the program begins" zsh_program
else
	skip "zsh: completion" "no zsh here"
fi
for c in $commands; do
	runs_here "$c" || { skip "$c: options" "this build runs no guests"; continue; }
	check "$c: --help and the page have the same options" same_options "$c"
	check "$c: the completion has them too" completes_options "$c"
	have zsh && check "$c: and zsh's" zsh_options "$c"
	check "$c: a wrong option is two lines and a status" \
		one_error $([ "$c" = run ] && echo 125 || echo 2) "$c" --no-such-option
done
check "commands are completed" [ "$(completes '' d | tr '\n' ' ')" = "diff doctor dump " ]
check "an unknown command is two lines and status 2" one_error 2 fly
check "a missing recording is two lines and status 1" \
	env SANDREC_TRACE_DIR="$T/none" bash -c ". '$top_srcdir/tests/lib.sh'; $(declare -f one_error); one_error 1 dump"
check "--version names the program" grep -q '^sandrec [0-9]' <("$SANDREC" --version)
if have man; then
	check "the page has no formatting errors" \
		[ -z "$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)" ]
else
	skip "the page has no formatting errors" "no man"
fi
done_testing

# bash completion for sandrec(1). Commands and options come from its --help, so that they are those of the version used.

_sandrec_words()
{
	"$1" "${@:2}" --help 2>/dev/null
}

_sandrec_options()
{
	_sandrec_words "$@" | sed -n 's/^ *\(-[a-z], \)\{0,1\}\(--[a-z-]*=\{0,1\}\).*/\2/p'
}

_sandrec_choices()
{
	_sandrec_words "$1" "$2" | sed -n "s/^ *\(-[a-z], \)\{0,1\}$3=\([^ ]*|[^ ]*\).*/\2/p" | tr '|' ' '
}

_sandrec_traces()
{
	"$1" ls 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# The processes of the recording that the command line names, or of the latest.
_sandrec_pids()
{
	local i trace=
	for ((i = 2; i < ${#COMP_WORDS[@]}; i++)); do
		case ${COMP_WORDS[i]} in
		-p | --pid | -l | --listen | -d | --debugger | --tid | --from | --to | --syscall)
			((i++))
			[[ ${COMP_WORDS[i]} == = ]] && ((i++))
			;;
		-*) ;;
		*) trace=${COMP_WORDS[i]} ;;
		esac
	done
	"$1" ps ${trace:+"$trace"} 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# The place of run's program on the command line, if it is there yet: all behind it is that program's.
_sandrec_program()
{
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) echo $((i + 1)); return ;;
		-o | --output | --cpu | --env | --cwd | --inject | --answers | --sandbox | --rw | --allow | --chaos-places | --chaos-switches | -n | --runs | -j | --jobs | --seed | --timeout)
			((i++))
			[[ ${COMP_WORDS[i]} == = ]] && ((i++))
			;;
		-*) ;;
		*) echo "$i"; return ;;
		esac
	done
}

_sandrec()
{
	local me=$1 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} program
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "--help --version $(_sandrec_words "$me" | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p')" -- "$cur"))
		return
	fi
	if [[ $command == run || $command == chaos ]]; then
		program=$(_sandrec_program)
		if [[ -n $program ]]; then
			if declare -F _command_offset >/dev/null && ((program <= COMP_CWORD)); then
				_command_offset "$program"
			else
				COMPREPLY=($(compgen -c -f -- "$cur"))
			fi
			return
		fi
	fi
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $cur == = ]] && prev=${COMP_WORDS[COMP_CWORD - 1]} cur=
	case $prev in
	-o | --output | --cwd)
		COMPREPLY=($(compgen -d -- "$cur"))
		return
		;;
	--env)
		COMPREPLY=($(compgen -e -- "$cur"))
		return
		;;
	--syscall)
		COMPREPLY=($(compgen -W "$("$me" syscalls 2>/dev/null | awk '$1 ~ /^[0-9]/ { print $2 }')" -- "$cur"))
		return
		;;
	--cpu | --sort | --sandbox)
		COMPREPLY=($(compgen -W "$(_sandrec_choices "$me" "$command" "$prev")" -- "$cur"))
		return
		;;
	-p | --pid)
		COMPREPLY=($(compgen -W "$(_sandrec_pids "$me")" -- "$cur"))
		return
		;;
	--rw)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--allow)
		COMPREPLY=($(compgen -W "$("$me" syscalls 2>/dev/null | awk '$1 ~ /^[0-9]/ { print $2 }')" -- "$cur"))
		return
		;;
	--answers)
		COMPREPLY=($(compgen -W "$(_sandrec_traces "$me")" -- "$cur") $(compgen -d -- "$cur"))
		return
		;;
	--exec)
		COMPREPLY=($(compgen -c -f -- "$cur"))
		return
		;;
	-l | --listen)
		COMPREPLY=($(compgen -W "stdio unix: 127.0.0.1:0" -- "$cur"))
		return
		;;
	-d | --debugger)
		COMPREPLY=($(compgen -c -- "$cur"))
		return
		;;
	--chaos-places)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--chaos-switches | -n | --runs | --seed | --tid | --from | --to | --context | -j | --jobs | --timeout | --limit | --older-than) return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$(_sandrec_options "$me" "$command")" -- "$cur"))
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
		return
	fi
	case $command in
	run | chaos) COMPREPLY=($(compgen -c -f -- "$cur")) ;;
	replay | gdb | serve | dump | stat | verify | diff | pack | test | timeline | ps | info | rm) COMPREPLY=($(compgen -W "$(_sandrec_traces "$me")" -- "$cur") $(compgen -d -- "$cur") $(compgen -f -X '!*.sandrec' -- "$cur")) ;;
	esac
}

complete -F _sandrec sandrec

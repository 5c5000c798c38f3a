# Completion of sluice(8) and of "sluice ctl" for bash.

_sluice_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Adds those of the words that begin so.
_sluice_words()
{
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY \
	    < <(compgen -W "$1" -- "$2")
}

# What the daemon says, found as the words at hand say; nothing if there is
# none.
_sluice_ask()
{
	local words=() i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | --socket)
			words+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
		esac
	done
	"${COMP_WORDS[0]}" ctl "${words[@]}" "$@" 2>/dev/null
}

# The names in the table of the status that begins with that head.
_sluice_names()
{
	_sluice_ask status |
	    awk -v head="$1" '$1 == head { on = 1; next } !NF { on = 0 }
		on { print $1 }' | sort -u
}

# UPSTREAM/NAME of those that have a name; bash cuts words at colons.
_sluice_servers()
{
	_sluice_ask servers |
	    awk '!NF { exit } NR > 1 && $8 !~ /:/ { print $1 "/" $8 }' |
	    sort -u
}

_sluice_value()
{
	case $1 in
	listener)	_sluice_words "$(_sluice_names LISTENER)" "$2" ;;
	upstream)	_sluice_words "$(_sluice_names UPSTREAM)" "$2" ;;
	esac
}

_sluice_keys()
{
	compopt -o nospace 2>/dev/null
	_sluice_words "listener= upstream= server= client= min_age= id=" "$1"
}

# The command among the words so far, which is the first that is neither a flag
# nor what belongs to one.
_sluice_command()
{
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | --socket | --filter | --rate | --deadline)
			((i++)) ;;
		-*)	;;
		*)	echo "${COMP_WORDS[i]}"; return ;;
		esac
	done
}

_sluice_ctl_words()
{
	local cur=$1 prev=$2

	case $(_sluice_command) in
	"")		_sluice_words "status sessions kill servers server drain pause resume reload events" "$cur" ;;
	sessions)	_sluice_keys "$cur" ;;
	drain)
		case $prev in
		drain)		_sluice_words "listener upstream server" "$cur" ;;
		listener)	_sluice_words "$(_sluice_names LISTENER)" "$cur" ;;
		upstream)	_sluice_words "$(_sluice_names UPSTREAM)" "$cur" ;;
		server)		_sluice_words "$(_sluice_servers)" "$cur" ;;
		esac
		;;
	pause | resume)	_sluice_words "$(_sluice_names UPSTREAM)" "$cur" ;;
	kill)
		_sluice_keys "$cur"
		_sluice_words "$(_sluice_ask sessions limit=100 |
		    awk 'NR > 1 { print $1 }')" "$cur"
		;;
	server)
		if [[ $prev == server ]]; then
			_sluice_words "$(_sluice_servers)" "$cur"
		else
			_sluice_words "up down drain weight" "$cur"
		fi
		;;
	esac
}

_sluice_ctl()
{
	local cur=$1 prev=$2

	# bash takes KEY=VALUE for three words.
	if [[ $cur == = ]]; then
		_sluice_value "$prev" ""
	elif [[ $prev == = ]]; then
		_sluice_value "${COMP_WORDS[COMP_CWORD - 2]}" "$cur"
	elif [[ $prev == -c || $prev == --config || $prev == --socket ]]; then
		_sluice_files "$cur"
	elif [[ $prev == --filter ]]; then
		_sluice_keys "$cur"
	elif [[ $cur == -* ]]; then
		_sluice_words "-c --config --socket --filter --json --dry-run --rate
		    --deadline --cancel -h --help" \
		    "$cur"
	else
		_sluice_ctl_words "$cur" "$prev"
	fi
}

_sluice_daemon()
{
	local cur=$1 prev=$2

	case $prev in
	-c | --config | -p | --pid-file)	_sluice_files "$cur" ;;
	-u | --user)	mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	-L | --forward | --set)	;;
	--help-config)
		_sluice_words "$("${COMP_WORDS[0]}" --help-config |
		    awk '/^    [a-z]/ { print $1 }' | sort -u)" "$cur"
		;;
	*)
		_sluice_words "-c --config -L --forward -t --test --resolve --diff
		    -T --dump --set -d --daemon -p --pid-file -u --user -V
		    --version -h --help --help-config" "$cur"
		test "$COMP_CWORD" -ne 1 || _sluice_words ctl "$cur"
		;;
	esac
}

_sluice()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} == ctl ]]; then
		_sluice_ctl "$cur" "$prev"
	else
		_sluice_daemon "$cur" "$prev"
	fi
}

complete -F _sluice sluice

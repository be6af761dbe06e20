# Read by every bash that a traced script starts (BASH_ENV). Before each command of the script it tells the tracer where it
# is and waits for one byte. GOLDSMITH_TRACE is a directory with the pipes `asked`, `answered` and `expanded`.
case $0 in
/run/goldsmith/scripts/*) ;;
/*) return 0 ;;
*) [[ $PWD/ == /run/goldsmith/scripts/* ]] || return 0 ;;
esac
declare -A __goldsmith_passed=()
__goldsmith_told_all=
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || __goldsmith_told_all=1
__goldsmith_told() {
    # $1: PIPESTATUS before this. The last argument is $_, which stays what it was because it is the last one.
    # What this does itself is no expanded word of the script. Before bash 4.4 nothing restores the option.
    [[ -n $__goldsmith_told_all ]] || { local - && set +x; }
    case ${BASH_SOURCE[1]-} in
    /run/goldsmith/scripts/*) ;;
    /* | '')
        local IFS=:
        case ":${BASH_SOURCE[*]:1}" in *:/run/goldsmith/scripts/*) ;; *) return 0 ;; esac
        ;;
    esac
    local __goldsmith_site=${BASH_SOURCE[1]-}:${BASH_LINENO[0]} __goldsmith_answer=
    [[ -z ${__goldsmith_passed[$__goldsmith_site]-} ]] || return 0
    local IFS=$'\x1d'
    printf '%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1e' "$BASHPID" "$BASH_SUBSHELL" "$1" "${!-}" \
        "${BASH_SOURCE[*]:1:12}" "${BASH_LINENO[*]:0:12}" "${BASH_COMMAND:0:600}" >"$GOLDSMITH_TRACE/asked" || :
    read -r -N 1 __goldsmith_answer <"$GOLDSMITH_TRACE/answered" || :
    [[ $__goldsmith_answer == p ]] && __goldsmith_passed[$__goldsmith_site]=1
    return 0
}
if [[ -n ${GOLDSMITH_POSIX-} ]]; then
    unset GOLDSMITH_POSIX
    set -o posix
fi
PS4=$'\x1e${BASHPID}\x1f${LINENO}\x1f${FUNCNAME[0]-}\x1f'
exec 251>"$GOLDSMITH_TRACE/expanded"
BASH_XTRACEFD=251
set -Tx
trap '__goldsmith_told "${PIPESTATUS[*]/%/ }" "$_"' DEBUG

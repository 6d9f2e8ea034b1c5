#!/bin/sh
# Logs that a session starts, and prints what the agent should know: chytr-session.sh [cursor|claude], with the event on standard
# input. Waits two seconds for that at most (CHYTR_CONTEXT_WAIT).
# shellcheck source=integrations/hooks/chytr-lib.sh
. "${0%/*}/chytr-lib.sh" || exit 0
chytr_ready || chytr_end
chytr_spool session_start && chytr_ask "${CHYTR_CONTEXT_WAIT:-2}" "${1:-cursor}"
exit 0

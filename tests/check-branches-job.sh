# Runs inside an emulated machine whose guests have a performance counter: programs whose signals and thread switches come
# in the middle of computations, recorded with the branch clock and replayed. TAP as in check-hosts-job.sh. TIMES is set.
sandrec=/t/sandrec
mkdir -p /tmp/kept

limited() { timeout -s KILL 900 "$@"; }
result() { if [ $1 = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi; }

# recorded TRACE OPTIONS PROG ARG...: output in /tmp/recorded; how it ended.
recorded() {
	trace=$1 options=$2
	shift 2
	rm -rf $trace
	limited $sandrec run -q $options -o $trace -- "$@" >/tmp/recorded 2>/tmp/recorded.err </dev/null
}

# replays TRACE STATUS: exactly what was recorded?
replays() {
	limited env -i $sandrec replay "$1" >/tmp/replayed 2>/tmp/replayed.err </dev/null
	[ $? = $2 ] && cmp -s /tmp/recorded /tmp/replayed && return 0
	echo "# $1, which ended with $2:"
	head -n 3 /tmp/recorded.err /tmp/replayed.err | sed 's/^/#   /'
	diff /tmp/recorded /tmp/replayed | head -n 4 | sed 's/^/#   /'
	return 1
}

points() { $sandrec dump $1 | grep -c 'in a computation'; }
counted() { $sandrec dump $1 | grep -c 'in a computation.*, branch [0-9]'; }

# repeatedly NAME OPTIONS HOW PROG ARG...: HOW: counted (all points are), either, state (none is).
repeatedly() {
	name=$1 options=$2 how=$3 n=0 all=0 rc=0 i=0
	shift 3
	while [ $i -lt $TIMES ] && [ $rc = 0 ]; do
		i=$((i + 1))
		recorded /tmp/trace "$options" "$@"
		status=$?
		all=$((all + $(points /tmp/trace))) n=$((n + $(counted /tmp/trace)))
		[ $status = 0 ] && replays /tmp/trace $status && replays /tmp/trace $status || rc=1
	done
	case $how in
	counted) [ $n -gt 0 ] && [ $n = $all ] || rc=1 ;;
	state) [ $n = 0 ] && [ $all -gt 0 ] || rc=1 ;;
	esac
	result $rc "$name ($i times, $n of $all points counted)"
	rm -rf /tmp/kept/"$name"
	cp -r /tmp/trace /tmp/kept/"$name"
	cp /tmp/recorded /tmp/kept/"$name".out
}

$sandrec doctor 2>&1 | sed 's/^/# /'
$sandrec doctor | grep -q 'branch counter  *counts exactly'
result $? 'the counter proves exact'

if SANDREC_EMULATED_CPU=1 CK_VERBOSITY=normal limited /t/test_branches >/tmp/unit.out 2>&1 && grep -q '^100%' /tmp/unit.out; then
	echo "ok - test_branches"
else
	echo "not ok - test_branches"
	head -n 20 /tmp/unit.out | sed 's/^/#   /'
fi

for kind in 'two registers' 'nested memory' 'callers frame' 'recursion' 'crossing jumps' 'loop instruction'; do
	repeatedly "a signal in: $kind" '' counted /t/async_loops values "$kind"
done
# No branch at all: found by their states.
for kind in 'register' 'memory' 'vectors'; do
	repeatedly "a signal in: $kind" '' either /t/async_loops values "$kind"
done
repeatedly 'a storm of signals' '' either /t/async_storm values
repeatedly 'a race' '' either /t/any_race
repeatedly 'a race in short slices' --slice=1 counted /t/any_race 2500000
repeatedly 'a race, marked by states' '--clock=landmark --slice=1' state /t/any_race 2500000
repeatedly 'a race at random' --chaos=7 either /t/any_race

# A millisecond is 500000 branches, by each thread from one switch to the next.
recorded /tmp/trace --slice=1 /t/any_race 2500000
cp /tmp/recorded /tmp/first
$sandrec dump /tmp/trace | awk '
	/gives way in a computation/ { if (computing[$2] && $(NF - 1) != 500000) wrong++; computing[$2] = 1; n++; next }
	{ computing[$2] = 0 }
	END { print "# " n " switches, " wrong + 0 " not at branch 500000"; exit !(n > 8 && !wrong) }'
result $? 'slices of exactly so many branches'
rc=0
for i in 1 2 3; do
	recorded /tmp/trace --slice=1 /t/any_race 2500000
	cmp -s /tmp/recorded /tmp/first || { rc=1; cat /tmp/first /tmp/recorded | sed 's/^/#   /'; }
done
result $rc 'the same interleaving each time'

# The same machine without a counter.
rmmod kvm_amd && rmmod kvm && insmod /lib/modules/kvm.ko enable_pmu=0 && insmod /lib/modules/kvm-amd.ko
$sandrec doctor | grep -q 'branch counter  *KVM gives guests none'
result $? 'a machine without the counter'
rc=0
limited $sandrec run --clock=pmu /t/hello >/dev/null 2>/tmp/err && rc=1
grep -q 'clock=pmu: no branch counter' /tmp/err || rc=1
result $rc 'run --clock=pmu says so'
for name in 'a signal in: two registers' 'a signal in: callers frame' 'a race in short slices'; do
	cp /tmp/kept/"$name".out /tmp/recorded
	: >/tmp/recorded.err
	replays "/tmp/kept/$name" 0
	result $? "$name: recorded with the counter, replayed without"
done
recorded /tmp/trace '' /t/async_loops values 'nested memory'
status=$?
cp -r /tmp/trace /tmp/kept/without
rmmod kvm_amd && rmmod kvm && insmod /lib/modules/kvm.ko && insmod /lib/modules/kvm-amd.ko
replays /tmp/kept/without $status
result $? 'recorded without the counter, replayed with'
exit 0

# Runs inside an emulated machine, with busybox only: each program natively, recorded, and replayed with its directory gone.
# Prints a TAP line for each (tests/check-hosts.sh numbers them) and exits 0 when it came to its end.
sandrec=/t/sandrec
mkdir -p /tmp/w /tmp/elsewhere

# OLDPWD is in the environment and differs from run to run.
limited() { unset OLDPWD; timeout -s KILL 120 "$@"; }

# same NAME PROG ARG...
same() {
	name=$1 measure=native
	shift
	rm -rf /tmp/w /tmp/trace
	mkdir /tmp/w; cd /tmp/w; echo 'first line' >text; mkdir dir
	limited "$@" >/tmp/native.out 2>/tmp/native.err </dev/null; native=$?
	rm -rf /tmp/w
	mkdir /tmp/w; cd /tmp/w; echo 'first line' >text; mkdir dir
	limited $sandrec run -o /tmp/trace -- "$@" >/tmp/recorded.out 2>/tmp/recorded.err </dev/null; recorded=$?
	cd /tmp/elsewhere; rm -rf /tmp/w
	limited env -i $sandrec replay /tmp/trace >/tmp/replayed.out 2>/tmp/replayed.err </dev/null; replayed=$?
	case $name in any_*) measure=recorded; native=$recorded ;; esac
	if [ $native = $recorded ] && [ $native = $replayed ] && cmp -s /tmp/$measure.out /tmp/recorded.out &&
		cmp -s /tmp/$measure.out /tmp/replayed.out && cmp -s /tmp/$measure.err /tmp/replayed.err; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		echo "# native $native, recorded $recorded, replayed $replayed"
		for f in recorded replayed; do
			head -n 5 /tmp/$f.err | sed "s/^/#   $f: /"
			diff /tmp/native.out /tmp/$f.out | grep '^[-+][^-+]' | head -n 4 | sed "s/^/#   $f: /"
		done
	fi
}

# unit NAME PROG: a program of Check tests, run as it is.
unit() {
	if SANDREC_EMULATED_CPU=1 CK_VERBOSITY=normal timeout -s KILL 400 "$2" >/tmp/unit.out 2>&1; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		head -n 20 /tmp/unit.out | sed 's/^/#   /'
	fi
}

$sandrec doctor 2>&1 | sed 's/^/# /'
for prog in /t/*; do
	name=${prog##*/}
	case $name in
	sandrec) ;;
	test_*) unit "$name" "$prog" ;;
	*) same "$name" "$prog" one 'two words' ;;
	esac
done
same 'busybox sh, builtins' /bin/busybox sh -c 'i=0; while [ $i -lt 50 ]; do i=$((i+1)); done; echo $i; cd /proc; pwd; exit 7'
dd if=/dev/urandom of=/tmp/million bs=1024 count=1024 2>/dev/null
same 'sha256sum of 1 MB' /bin/busybox sha256sum /tmp/million
same 'ls' /bin/busybox ls -l /bin
exit 0

# shellcheck shell=sh
# What ./demo and ./check share: the packages, the build, the way to /dev/kvm. To be sourced in the top directory.

build_packages="gcc libc6-dev make autoconf automake pkg-config binutils libcapstone-dev libzstd-dev libxxhash-dev
	libjansson-dev xz-utils"

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# install PACKAGE...: those that are missing.
install_packages() {
	command -v dpkg-query >/dev/null || { say "no dpkg here: taking for granted that the packages are installed"; return; }
	missing=
	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		"install ok installed") ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	say "installing:$missing"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "not root, and there is no sudo"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null
}

# build [CONFIGURE-ARGUMENT...]: in ./build
build() {
	say "building in $PWD/build"
	if [ ! -x configure ] || [ configure -ot configure.ac ] || [ Makefile.in -ot Makefile.am ]; then
		./bootstrap >build.log 2>&1 || { cat build.log >&2; die "bootstrap failed"; }
		rm -f build.log
	fi
	mkdir -p build
	(cd build && ../configure --quiet "$@" && make --quiet -j"$(nproc)") || die "the build failed"
}

# Sets $kvm to the words to put before a command that uses /dev/kvm: none, or sudo to get its group.
find_kvm() {
	kvm=
	if [ ! -e /dev/kvm ]; then
		say "there is no /dev/kvm: load kvm_intel or kvm_amd, or switch nested virtualisation on for this machine"
		return 1
	fi
	[ -r /dev/kvm ] && [ -w /dev/kvm ] && return 0
	group=$(stat -c %G /dev/kvm)
	say "no permission for /dev/kvm: using sudo to get the group $group (adduser $(id -un) $group makes it permanent)"
	kvm="sudo --preserve-env -u $(id -un) -g $group --"
}

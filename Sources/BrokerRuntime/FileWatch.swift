internal import Glibc

/// Whether files have changed, and stay as they are.
///
/// Who replaces several writes one after the other; together they are good when nobody has written
/// between two looks.
struct FileWatch {
    /// A file as stat(2) tells it; one that is missing is a state, too.
    struct Stamp: Hashable {
        var inode: UInt = 0
        var size = 0
        /// When it was written, since 1970.
        var written = Duration.zero
    }

    private var taken: [Stamp]
    private var seen: [Stamp]

    init(taken: [Stamp]) { (self.taken, seen) = (taken, taken) }

    /// `true`: they are others than those that were taken, and the same as at the look before.
    ///
    /// They count as taken then, so that files that are no good are complained of once.
    mutating func haveChanged(_ now: [Stamp]) -> Bool {
        defer { seen = now }
        guard now != taken, now == seen else { return false }
        taken = now
        return true
    }

    /// They are taken without a look.
    mutating func took(_ now: [Stamp]) { (taken, seen) = (now, now) }

    static func stamps(of files: [String]) -> [Stamp] {
        files.map { file in
            var facts = stat()
            guard stat(file, &facts) == 0 else { return Stamp() }
            return Stamp(
                inode: UInt(facts.st_ino), size: Int(facts.st_size),
                written: Duration(facts.st_mtim))
        }
    }
}

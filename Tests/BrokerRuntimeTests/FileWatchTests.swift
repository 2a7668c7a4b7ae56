import Testing

@testable import BrokerRuntime

@Suite("A watch over files") struct FileWatchTests {
    private typealias Stamp = FileWatch.Stamp
    private let old = [Stamp(inode: 1, size: 10), Stamp(inode: 2, size: 20)]
    private let half = [Stamp(inode: 3, size: 10), Stamp(inode: 2, size: 20)]
    private let new = [Stamp(inode: 3, size: 10), Stamp(inode: 4, size: 20)]
    private let gone = [Stamp(), Stamp(inode: 2, size: 20)]

    /// In which of the looks a change is told.
    private func changes(_ looks: [[Stamp]], behind watch: FileWatch? = nil) -> [Int] {
        var watch = watch ?? FileWatch(taken: old)
        return looks.indices.filter { watch.haveChanged(looks[$0]) }
    }

    @Test func `tells nothing while they are as they were`() {
        #expect(changes([old, old, old]) == [])
    }

    @Test func `tells a change once, when it has stayed for a look`() {
        #expect(changes([old, new, new, new]) == [2])
    }

    @Test func `waits for who replaces them one after the other`() {
        #expect(changes([half, new, new]) == [2])
    }

    @Test func `tells a file that is gone, and one that is there again`() {
        #expect(changes([gone, gone, old, old]) == [1, 3])
    }

    @Test func `tells nothing that was taken without a look, or was taken back`() {
        var watch = FileWatch(taken: old)
        watch.took(new)
        #expect(changes([new, half, new, new], behind: watch) == [])
    }

    @Test func `knows a file by its inode, size and time`() {
        let stamps = FileWatch.stamps(of: ["/etc/passwd", "/nowhere"])
        #expect(stamps == FileWatch.stamps(of: ["/etc/passwd", "/nowhere"]))
        #expect(stamps[0].size > 0 && stamps[0].inode > 0 && stamps[0].written > .zero)
        #expect(stamps[1] == Stamp())
    }
}

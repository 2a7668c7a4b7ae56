/// The scalars in classes, of which a pattern tells none from another of the same class.
struct Alphabet {
    /// Where each run of scalars of one class begins; the first is 0.
    private(set) var runs: [UInt32]
    private(set) var runClasses: [Int]
    private(set) var count: Int

    /// An alphabet that tells the sets apart.
    init(_ sets: [CharacterSet], steps: inout StepCounter) throws(StepCounter.Exhausted) {
        var starts: Set<UInt32> = [0]
        for range in sets.flatMap(\.ranges) {
            starts.insert(range.lowerBound)
            if range.upperBound < CharacterSet.last { starts.insert(range.upperBound + 1) }
        }
        runs = starts.sorted()
        runClasses = []
        count = 1
        // Each set splits the classes that it does not hold or leave whole.
        var kinds = Array(repeating: 0, count: runs.count)
        for set in sets {
            try steps.spend(runs.count)
            var split: [Int: Int] = [:]
            for range in set.ranges {
                var run = Self.run(of: range.lowerBound, in: runs)
                while run < runs.count, runs[run] <= range.upperBound {
                    let kind = kinds[run]
                    if split[kind] == nil {
                        split[kind] = count
                        count += 1
                    }
                    kinds[run] = split[kind] ?? 0
                    run += 1
                }
            }
        }
        // Splits leave classes behind that no run is of any more.
        var numbers: [Int: Int] = [:]
        for kind in kinds where numbers[kind] == nil { numbers[kind] = numbers.count }
        runClasses = kinds.map { numbers[$0] ?? 0 }
        count = numbers.count
    }

    static func run(of scalar: UInt32, in runs: [UInt32]) -> Int {
        var low = 0
        var high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle] <= scalar { low = middle } else { high = middle }
        }
        return low
    }

    func classOf(_ scalar: UInt32) -> Int { runClasses[Self.run(of: scalar, in: runs)] }

    /// The classes that a set holds.
    func classes(of set: CharacterSet) -> [Int] {
        var classes: Set<Int> = []
        for range in set.ranges {
            var run = Self.run(of: range.lowerBound, in: runs)
            while run < runs.count, runs[run] <= range.upperBound {
                classes.insert(runClasses[run])
                run += 1
            }
        }
        return classes.sorted()
    }
}

/// Makes the deterministic automaton: each of its states is a set of instructions that are reached
/// by the same text (Rabin and Scott, 1959).
struct AutomatonMaker {
    let alphabet: Alphabet
    private(set) var next: [UInt16] = []
    private(set) var fitsAtEnd: [Bool] = []

    /// What was reached right behind a scalar; the pattern's begin is always among it, as it may
    /// fit from there on.
    private struct Key: Hashable {
        var reached: Set<Int>
        var isAtStart: Bool
    }

    private let entry: Int
    private let list: [RegexInstruction]
    private let isMultiline: Bool
    private let transitionsMax: Int
    private var states: [Key: Int] = [:]
    private var waiting: [Key] = []
    private var classesOf: [CharacterSet: [Int]] = [:]

    init(
        _ instructions: (entry: Int, list: [RegexInstruction]), isMultiline: Bool,
        transitionsMax: Int, steps: inout StepCounter
    ) throws(StepCounter.Exhausted) {
        (entry, list) = instructions
        self.isMultiline = isMultiline
        self.transitionsMax = transitionsMax
        var sets: Set<CharacterSet> = isMultiline ? [.newline] : []
        for case .scalar(let set, _) in list { sets.insert(set) }
        alphabet = try Alphabet(Array(sets), steps: &steps)
        for set in sets { classesOf[set] = alphabet.classes(of: set) }
    }

    /// Makes all states.
    mutating func run(_ steps: inout StepCounter) throws(StepCounter.Exhausted) {
        // `failed` and `fits`, which are never left.
        for state in [UInt16(0), 1] {
            next += Array(repeating: state, count: alphabet.count)
            fitsAtEnd.append(state == 1)
        }
        let start = try state(Key(reached: [entry], isAtStart: true), &steps)
        guard start == 2 else {
            // It fits or fails at once, and the state that the text begins in says so.
            next += Array(repeating: UInt16(start), count: alphabet.count)
            fitsAtEnd.append(start == 1)
            return
        }
        var done = 0
        while done < waiting.count {
            try leave(waiting[done], &steps)
            done += 1
        }
    }

    /// The number of a state, made if it is new.
    private mutating func state(
        _ key: Key, _ steps: inout StepCounter
    ) throws(StepCounter.Exhausted) -> Int {
        if let known = states[key] { return known }
        let reached = try closure(key, isAtEnd: false, &steps)
        let reachedAtEnd = try closure(key, isAtEnd: true, &steps)
        let state: Int
        if fits(reached) {
            state = 1
        } else if !fits(reachedAtEnd), !mayGoOn(reached) {
            state = 0
        } else {
            state = fitsAtEnd.count
            guard (state + 1) * alphabet.count <= transitionsMax else {
                throw StepCounter.Exhausted()
            }
            fitsAtEnd.append(fits(reachedAtEnd))
            waiting.append(key)
        }
        states[key] = state
        return state
    }

    /// Writes where each class leads from a state; states are left in the order in which they were
    /// made.
    private mutating func leave(
        _ key: Key, _ steps: inout StepCounter
    ) throws(StepCounter.Exhausted) {
        let newline = isMultiline ? classesOf[.newline]?.first : nil
        var reached = Array(repeating: Set([entry]), count: alphabet.count)
        var fitsBeforeNewline = false
        for instruction in try closure(key, isAtEnd: false, &steps) {
            try follow(instruction, into: &reached, &steps) { $0 != newline }
        }
        if let newline {
            // Before a newline is the end of a line.
            let reachedAtEnd = try closure(key, isAtEnd: true, &steps)
            fitsBeforeNewline = fits(reachedAtEnd)
            for instruction in reachedAtEnd {
                try follow(instruction, into: &reached, &steps) { $0 == newline }
            }
        }
        for (kind, set) in reached.enumerated() {
            let isNewline = kind == newline
            let key = Key(reached: set, isAtStart: isNewline)
            next.append(isNewline && fitsBeforeNewline ? 1 : UInt16(try state(key, &steps)))
        }
    }

    private func follow(
        _ instruction: Int, into reached: inout [Set<Int>], _ steps: inout StepCounter,
        where isWanted: (Int) -> Bool
    ) throws(StepCounter.Exhausted) {
        guard case .scalar(let set, let next) = list[instruction] else { return }
        let classes = classesOf[set] ?? []
        try steps.spend(classes.count)
        for kind in classes where isWanted(kind) { reached[kind].insert(next) }
    }

    /// What is reached without a scalar.
    private func closure(
        _ key: Key, isAtEnd: Bool, _ steps: inout StepCounter
    ) throws(StepCounter.Exhausted) -> Set<Int> {
        var reached = key.reached
        var open = Array(reached)
        while let instruction = open.popLast() {
            try steps.spend()
            var targets: [Int] = []
            switch list[instruction] {
            case .either(let first, let second): targets = [first, second]
            case .start(let next): if key.isAtStart { targets = [next] }
            case .end(let next): if isAtEnd { targets = [next] }
            case .scalar, .fits: break
            }
            for target in targets where reached.insert(target).inserted { open.append(target) }
        }
        return reached
    }

    private func fits(_ reached: Set<Int>) -> Bool { reached.contains(0) }

    /// Whether a scalar can lead anywhere, to a line's start among it.
    private func mayGoOn(_ reached: Set<Int>) -> Bool {
        isMultiline
            || reached.contains { if case .scalar = list[$0] { true } else { false } }
    }
}

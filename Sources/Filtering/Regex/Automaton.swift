internal import EventModel

/// A pattern as a deterministic automaton: one step a character, whatever the pattern and the text.
///
/// It is made whole when the filter is read; a pattern whose automaton would be too large is
/// refused then.
final class Automaton: Sendable {
    /// What all patterns of one filter may cost together.
    struct Budget {
        /// Transitions kept, two bytes each.
        fileprivate(set) var transitions = 32_768
        /// Steps of work.
        fileprivate(set) var steps = 1_000_000
    }

    /// Of `states`: nothing that follows makes it fit.
    private static let failed = 0
    /// It fits, whatever follows.
    private static let fits = 1
    private static let start = 2

    private let asciiClasses: [UInt16]
    /// Where each run of scalars of one class begins, and the class.
    private let runs: [UInt32]
    private let runClasses: [UInt16]
    private let classCount: Int
    /// The next state by state and class.
    private let next: [UInt16]
    private let fitsAtEnd: [Bool]

    /// - Throws: `invalid_filter` if the budget does not last.
    init(
        _ regex: Regex, flags: RegexFlags, budget: inout Budget, of pattern: FilterText.Quoted,
        in text: FilterText
    ) throws(BrokerError) {
        var steps = StepCounter(left: budget.steps)
        let maker: AutomatonMaker
        do {
            let instructions = try InstructionMaker.instructions(of: regex, steps: &steps)
            var made = try AutomatonMaker(
                instructions, isMultiline: flags.isMultiline, transitionsMax: budget.transitions,
                steps: &steps)
            try made.run(&steps)
            maker = made
        } catch {
            throw text.wrong(
                "the pattern takes too many states", at: pattern.places.first ?? pattern.end - 1,
                remedy: "Repeat less, begin it with ^, or use fewer patterns.")
        }
        budget.steps = steps.left
        budget.transitions -= maker.next.count
        let alphabet = maker.alphabet
        asciiClasses = (0..<128).map { UInt16(alphabet.classOf($0)) }
        runs = alphabet.runs
        runClasses = alphabet.runClasses.map(UInt16.init)
        classCount = alphabet.count
        next = maker.next
        fitsAtEnd = maker.fitsAtEnd
    }

    /// Whether the pattern fits some part of the string.
    func matches(_ string: StringText, in text: Span<UInt8>) -> Bool {
        var state = Self.start
        var scalars = ScalarReader(string)
        while state > Self.fits, let scalar = scalars.next(in: text) {
            let kind =
                scalar < 128
                ? asciiClasses[Int(scalar)]
                : runClasses[Alphabet.run(of: scalar, in: runs)]
            state = Int(next[state * classCount + Int(kind)])
        }
        return state == Self.fits || fitsAtEnd[state]
    }
}

/// Work that may still be done.
struct StepCounter {
    private(set) var left: Int

    struct Exhausted: Error {}

    init(left: Int) { self.left = left }

    mutating func spend(_ count: Int = 1) throws(Exhausted) {
        left -= count
        guard left > 0 else { throw Exhausted() }
    }
}

/// One instruction of a nondeterministic automaton (Thompson, CACM 11.6, 1968).
enum RegexInstruction {
    case scalar(CharacterSet, next: Int)
    case either(Int, Int)
    case start(next: Int)
    case end(next: Int)
    case fits
}

/// Makes instructions of a pattern, from its end to its begin.
struct InstructionMaker {
    private var instructions: [RegexInstruction] = [.fits]

    /// - Returns: Where the pattern begins, and its instructions.
    static func instructions(
        of regex: Regex, steps: inout StepCounter
    ) throws(StepCounter.Exhausted) -> (entry: Int, list: [RegexInstruction]) {
        var maker = InstructionMaker()
        let entry = try maker.emit(regex, before: 0, &steps)
        return (entry, maker.instructions)
    }

    private mutating func emit(
        _ regex: Regex, before next: Int, _ steps: inout StepCounter
    ) throws(StepCounter.Exhausted) -> Int {
        try steps.spend()
        switch regex {
        case .empty: return next
        case .scalar(let set): return append(.scalar(set, next: next))
        case .start: return append(.start(next: next))
        case .end: return append(.end(next: next))
        case .sequence(let parts):
            var entry = next
            for part in parts.reversed() { entry = try emit(part, before: entry, &steps) }
            return entry
        case .choice(let branches):
            var entry: Int?
            for branch in branches.reversed() {
                let begin = try emit(branch, before: next, &steps)
                entry = entry.map { append(.either(begin, $0)) } ?? begin
            }
            return entry ?? next
        case .repetition(let part, let min, let max):
            var entry = next
            if let max {
                for _ in min..<max {
                    entry = append(.either(try emit(part, before: entry, &steps), next))
                }
            } else {
                let loop = append(.either(next, next))
                instructions[loop] = .either(try emit(part, before: loop, &steps), next)
                entry = loop
            }
            for _ in 0..<min { entry = try emit(part, before: entry, &steps) }
            return entry
        }
    }

    private mutating func append(_ instruction: RegexInstruction) -> Int {
        instructions.append(instruction)
        return instructions.count - 1
    }
}

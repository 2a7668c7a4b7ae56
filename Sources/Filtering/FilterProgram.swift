/// A filter as it is run: all its paths in one tree, and at their ends what is asked of the values.
final class FilterProgram: Sendable {
    /// What is asked of a value.
    enum Question: Sendable {
        case comparison(ComparisonOperator, FilterValue)
        case beginning([UInt8])
        case likeness(Automaton)
        /// Puts it aside: for this side of that comparison of paths.
        case side(Int)
    }

    /// The steps that may be taken from a value, and what is asked of it.
    struct Steps: Sendable {
        /// The tests that are true because there is a value here: a bit each.
        var existing: UInt64 = 0
        var questions: [(test: Int, question: Question)] = []
        var members: [(name: [UInt8], node: Int)] = []
        /// Bit n: a member's name has n bytes, or n more than a multiple of 64.
        var nameLengths: UInt64 = 0
        var anyMember: Int?
        var elements: [(list: [Subscript], node: Int)] = []
        var needsCount = false
    }

    /// Steps as a walk passes them on: without counting each array's references.
    final class Node: Sendable {
        let existing: UInt64
        let questions: [(test: Int, question: Question)]
        let members: [(name: [UInt8], node: Int)]
        let nameLengths: UInt64
        let anyMember: Int?
        let elements: [(list: [Subscript], node: Int)]
        let needsCount: Bool
        let wantsMembers: Bool

        fileprivate init(_ steps: Steps) {
            existing = steps.existing
            questions = steps.questions
            members = steps.members
            nameLengths = steps.nameLengths
            anyMember = steps.anyMember
            elements = steps.elements
            needsCount = steps.needsCount
            wantsMembers = !members.isEmpty || anyMember != nil
        }
    }

    let condition: FilterCondition
    let nodes: [Node]
    /// Comparisons of two paths; two sides each.
    let pathComparisons: [(test: Int, comparison: ComparisonOperator)]
    /// The node at which the paths of a root begin; `nil` if there are none.
    let data: Int?
    let key: Int?
    let topic: Int?
    let attributes: Int?

    init(_ condition: FilterCondition, tests: [FilterTest]) {
        var tree = PathTree()
        for (test, syntax) in tests.enumerated() { tree.add(syntax, test) }
        self.condition = condition
        nodes = tree.nodes.map(Node.init)
        pathComparisons = tree.pathComparisons
        data = tree.begin(of: .data)
        key = tree.begin(of: .key)
        topic = tree.begin(of: .topic)
        attributes = tree.begin(of: .attributes)
    }
}

/// Puts the paths of a filter together: what they share is there once.
private struct PathTree {
    private(set) var nodes: [FilterProgram.Steps] = []
    private(set) var pathComparisons: [(test: Int, comparison: ComparisonOperator)] = []
    private var begins: [FilterRoot: Int] = [:]

    func begin(of root: FilterRoot) -> Int? { begins[root] }

    mutating func add(_ syntax: FilterTest, _ test: Int) {
        switch syntax {
        case .exists(let path): nodes[node(at: path)].existing |= 1 << UInt64(test)
        case .comparison(let path, let comparison, let value):
            ask(.comparison(comparison, value), path, test)
        case .beginning(let path, let prefix): ask(.beginning(Array(prefix.utf8)), path, test)
        case .likeness(let path, _, _, let automaton): ask(.likeness(automaton), path, test)
        case .pathComparison(let left, let comparison, let right):
            let side = pathComparisons.count * 2
            pathComparisons.append((test, comparison))
            ask(.side(side), left, test)
            ask(.side(side + 1), right, test)
        }
    }

    private mutating func ask(_ question: FilterProgram.Question, _ path: FilterPath, _ test: Int) {
        nodes[node(at: path)].questions.append((test, question))
    }

    /// The node at the end of a path, made if it is new.
    private mutating func node(at path: FilterPath) -> Int {
        let begin = begins[path.root] ?? made()
        begins[path.root] = begin
        return path.steps.reduce(begin) { node, step in
            if let next = next(of: node, step) { return next }
            let new = made()
            switch step {
            case .member(let name):
                nodes[node].members.append((Array(name.utf8), new))
                nodes[node].nameLengths |= 1 << UInt64(name.utf8.count & 63)
            case .anyMember: nodes[node].anyMember = new
            case .elements(let list):
                nodes[node].elements.append((list, new))
                if list.contains(where: \.needsCount) { nodes[node].needsCount = true }
            }
            return new
        }
    }

    private mutating func made() -> Int {
        nodes.append(FilterProgram.Steps())
        return nodes.count - 1
    }

    private func next(of node: Int, _ step: PathStep) -> Int? {
        switch step {
        case .member(let name):
            nodes[node].members.first { $0.name.elementsEqual(name.utf8) }?.node
        case .anyMember: nodes[node].anyMember
        case .elements(let list): nodes[node].elements.first { $0.list == list }?.node
        }
    }
}

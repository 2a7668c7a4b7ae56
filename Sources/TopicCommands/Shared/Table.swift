/// Columns of text that fit a terminal: all are as wide as needed, and the last one is cut.
struct Table {
    /// How the cells of a column stand.
    enum Alignment {
        case left
        case right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    /// Adds a row, one cell a column; line ends and other control characters become spaces.
    mutating func add(_ cells: [String]) {
        precondition(
            cells.count == columns.count, "bug: \(cells.count) cells, \(columns.count) columns")
        rows.append(cells.map(Self.printable))
    }

    /// The lines, titles first.
    ///
    /// - Parameter width: Columns of the terminal; `nil` for no bound.
    /// - Returns: Lines without white space at their ends.
    func lines(width: Int?) -> [String] {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { index in all.map { $0[index].count }.max() ?? 0 }
        return all.map { cells in
            let line = columns.indices.map { index in
                let padding = String(repeating: " ", count: widths[index] - cells[index].count)
                return columns[index].alignment == .left
                    ? cells[index] + padding : padding + cells[index]
            }.joined(separator: "  ")
            return Self.cut(Self.withoutTail(line), to: width)
        }
    }

    private static func withoutTail(_ line: String) -> String {
        var line = line[...]
        while line.last == " " { line.removeLast() }
        return String(line)
    }

    private static func cut(_ line: String, to width: Int?) -> String {
        guard let width, line.count > width, width > 1 else { return line }
        return line.prefix(width - 1) + "…"
    }

    /// Text of others must not move the terminal's cursor or change its colours.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar.properties.generalCategory == .control ? " " : scalar
                }))
    }
}

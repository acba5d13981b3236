package balancer

// maxSchedule bounds the slots of a schedule (plus one for each target, because
// none is left out). Weights whose sum, reduced, is larger are rounded.
const maxSchedule = 4096

// schedule is one cycle of turns: each target as often as its weight says, its
// turns spread over the cycle. It is the interleaving known from nginx: in each
// slot everyone gains its weight, and the leader pays the sum.
func schedule(targets []*Target) []*Target {
	turns, sum := turnsOf(targets)
	slots := make([]*Target, 0, sum)
	if sum == len(targets) { // all alike: the order given is the schedule
		return append(slots, targets...)
	}
	credit := make([]int, len(targets))
	for range sum {
		leader := 0
		for i := range credit {
			credit[i] += turns[i]
			if credit[i] > credit[leader] {
				leader = i
			}
		}
		credit[leader] -= sum
		slots = append(slots, targets[leader])
	}
	return slots
}

// turnsOf reduces the weights to the smallest numbers in the same proportion, and
// rounds them when even those make too long a cycle.
func turnsOf(targets []*Target) (turns []int, sum int) {
	turns = make([]int, len(targets))
	for i, t := range targets {
		turns[i] = t.Weight()
	}
	sum = reduce(turns)
	if sum <= max(maxSchedule, len(targets)) {
		return turns, sum
	}
	for i := range turns {
		turns[i] = max(1, turns[i]*maxSchedule/sum)
	}
	return turns, reduce(turns)
}

// reduce divides all by their greatest common divisor and returns the new sum.
func reduce(numbers []int) (sum int) {
	divisor := 0
	for _, n := range numbers {
		divisor = gcd(n, divisor)
	}
	for i := range numbers {
		numbers[i] /= divisor
		sum += numbers[i]
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

package call

// Statuses of an agent, VoIPBIN's.
const (
	AgentAvailable = "available" // takes calls of queues
	AgentAway      = "away"
	AgentBusy      = "busy"
	AgentOffline   = "offline"
	AgentRinging   = "ringing"
)

// settable are the statuses that a person has by choice.
var settable = []string{AgentAvailable, AgentAway, AgentBusy, AgentOffline}

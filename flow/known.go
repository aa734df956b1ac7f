package flow

import "strings"

// known are the variables that a call brings along, VoIPBIN's and ours, without voipbin. before them.
var known = func() map[string]bool {
	m := make(map[string]bool)
	for prefix, names := range map[string]string{
		"activeflow": "id reference_type reference_id reference_activeflow_id flow_id complete_count",
		"flow":       "reference_data",
		"call": `id source.name source.detail source.target source.target_name source.type destination.name destination.detail
			destination.target destination.target_name destination.type direction master_call_id digits journey_id
			status hangup_by hangup_reason sip_code cause code sentence ring_ms talk_ms recording_ids flow_position
			tm_create tm_progressing tm_hangup account cost currency billed_seconds rate_prefix`,
		"queue":                "id name detail waiting agents",
		"queuecall":            "id timeout_wait timeout_service position estimated_wait",
		"conference":           "id",
		"conferencecall":       "id status",
		"recording":            "id reference_type reference_id format recording_name filenames",
		"transcribe":           "id language direction text",
		"aicall":               "id ai_id ai_engine_model confbridge_id stt_language pipecatcall_id",
		"ai_summary":           "id reference_type reference_id language content",
		"conversation":         "self.name self.detail self.target self.target_name self.type peer.name peer.detail peer.target peer.target_name peer.type id owner_id",
		"conversation_message": "id text direction",
		"tts":                  "elevenlabs.voice_id gcp.voice_id aws.voice_id",
	} {
		for name := range strings.FieldsSeq(names) {
			m["voipbin."+prefix+"."+name] = true
		}
	}
	m["contact_case_id"] = true
	// What verification found out about the caller, see package sip/verify: the verdict, and each check with its evidence.
	for name := range strings.FieldsSeq("verdict code sentence attest verstat origid source_class") {
		m["verify."+name] = true
	}
	for check := range strings.FieldsSeq("scanner source asserted caller_format caller_number anonymous identity identity_div own_number extension velocity") {
		m["verify."+check], m["verify."+check+".evidence"] = true, true
	}
	for _, name := range []string{"outbound", "outbound.code", "outbound.evidence"} { // of a step that the engine did not let dial
		m["verify."+name] = true
	}
	return m
}()

package flow
import ("testing";"os";"context";"encoding/json")
func TestTry(t *testing.T){
 b,_:=os.ReadFile("../examples/server/flows/100.json")
 f,err:=Parse(b,ParseOptions{File:"100.json"}); if err!=nil{t.Fatal(err)}
 w:=Explain(context.Background(),f,ExplainOptions{})
 var show func(w Way, ind string)
 show=func(w Way, ind string){
  if w.When!=""{t.Logf("%s at %d: %s",ind,w.At,w.When)}
  for _,e:=range w.Steps{t.Logf("%s  %d %s:%d %s %q %s known=%v %+v %v unk=%v rounds=%d",ind,e.N,e.File,e.Line,e.Type,e.ID,e.Option,e.Known,e.Outcome,e.Err,e.Unknown,e.Rounds)}
  t.Logf("%s  joins %d end %s",ind,w.Joins,w.End)
  for _,v:=range w.Ways{show(v,ind+"    ")}
 }
 show(w,"")
 _=json.Marshal
}

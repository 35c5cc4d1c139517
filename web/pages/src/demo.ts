import { mount } from 'svelte'
import Demo from './demo/Demo.svelte'
import './style/tokens.css'
import './style/base.css'
import './style/chat.css'
import './style/kit.css'
import './style/demo.css'
import './style/picture.css'

mount(Demo, { target: document.getElementById('page')! })
